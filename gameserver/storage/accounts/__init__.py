"""Who a player is: claims, sign-up, rename, deletion, password, ban."""
