"""Gold: hand-made days in, every expected figure written out."""
