"""Recurrent layers: a cell is one step, `RNN` runs it over the steps of a sequence."""
