"""Running migrations on a scratch clone before production is touched, and writing down everything that they did."""
