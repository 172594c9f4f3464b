"""Written form to spoken form, per language: numbers, dates, times, units, money, addresses, abbreviations.

Each module turns a cleaned sentence into letters and punctuation only; what it knows besides grammar is data
(`text/data/verbalise_*.json`).
"""
