//! Requests and replies as the server spells them (engine-behaviour §1).
