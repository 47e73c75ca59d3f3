"""What `scripts/on_a_card.sh` runs: everything that only a card can tell about arttl, in minutes."""
