"""How often a checkpoint is right on labelled pictures: answers, scores with intervals, groups, a page."""
