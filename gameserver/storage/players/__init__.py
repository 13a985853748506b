"""`Players.act` and `Players.read`, and the group commit behind them."""
