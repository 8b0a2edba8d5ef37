"""From a configuration to what serves: chosen, fetched, verified, admitted, installed."""
