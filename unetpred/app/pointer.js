// The outline of the hole follows the pointer over the picture, to the pixel that a click scores.
(() => {
  const outline = document.createElement("div");
  outline.className = "unetpred-pointer";
  const value = (selector) => document.querySelector(selector)?.value;

  function hole() {
    const size = parseFloat(value("#size input[type=number]"));
    const degrees = value("#units input:checked") === "deg";
    const scale = degrees ? parseFloat(value("#ppd input")) : 1;
    return Math.max(1, Math.floor(size * scale + 0.5));
  }

  function follow(event) {
    const image = event.target.closest?.("#picture")?.querySelector("img");
    const geometry = document.querySelector("#geometry");
    const side = hole();
    if (!image || !geometry || !image.naturalWidth || !side) return outline.remove();
    const box = image.getBoundingClientRect();
    // the picture may be narrower or lower than its element
    const fit = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    const wide = image.naturalWidth * fit, high = image.naturalHeight * fit;
    const left = box.left + (box.width - wide) / 2, top = box.top + (box.height - high) / 2;
    const width = +geometry.dataset.width, height = +geometry.dataset.height;
    const x = Math.floor(((event.clientX - left) / wide) * width);
    const y = Math.floor(((event.clientY - top) / high) * height);
    if (x < 0 || y < 0 || x >= width || y >= height) return outline.remove();
    const first = [x - Math.floor(side / 2), y - Math.floor(side / 2)];
    const leaves =
      first[0] < 0 || first[1] < 0 || first[0] + side > width || first[1] + side > height;
    outline.classList.toggle("leaves", leaves);
    outline.style.borderRadius = value("#shape input:checked") === "disc" ? "50%" : "0";
    outline.style.left = `${left + (first[0] * wide) / width}px`;
    outline.style.top = `${top + (first[1] * high) / height}px`;
    outline.style.width = `${(side * wide) / width}px`;
    outline.style.height = `${(side * high) / height}px`;
    if (!outline.isConnected) document.body.append(outline);
  }

  document.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return outline.remove();
    follow(event);
  });
  document.addEventListener("scroll", () => outline.remove(), true);
})();
