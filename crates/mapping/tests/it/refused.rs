//! Files that are refused, and what is said about them.
