//! App: everything a service needs, and the only place that chooses adapters.
