-- Version 2: what is kept of each kind is bounded, so the oldest of a kind must be found without reading all of it.
CREATE INDEX fact_kind ON fact (kind, seq);
