"""The listening panel on a laptop: clips, trials, listeners' answers, screening, totals (docs/listening.md). No web, no torch."""
