"""What removing units does to a classifier: accuracies, how certain their changes are, which units matter."""
