//! One month of samples: raw rows, parts, flushes and merges (engine-behaviour §2 to §8).
