"""How much of the screen time went to whom: shares of seconds, corrected for the classifier's errors."""
