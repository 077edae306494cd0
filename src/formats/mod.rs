//! Text and bytes to rows and back.
