"""Which labels of a catalogue its pictures contradict: out-of-fold probabilities, and the doubts that they raise."""
