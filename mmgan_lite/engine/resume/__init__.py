"""What a training needs to resume exactly: data position, random state, stop signals."""
