"""Bad nights: a run is broken in every way and at every place, run again, and nothing is lost."""
