//! Single slips in the file.
