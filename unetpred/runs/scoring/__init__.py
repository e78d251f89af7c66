"""Scoring many inputs: jobs in batches, tables of sites, where results go; `unetpred.score`.

Uses `runs` above it, `results`, `scoring`, `holes` and `images`.
"""
