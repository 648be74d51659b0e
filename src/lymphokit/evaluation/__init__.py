"""Out-of-fold predictions, metrics, thresholds, intervals and paired comparisons."""
