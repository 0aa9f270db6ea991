"""What a person or a program sees: overlay, window, tables, summary."""
