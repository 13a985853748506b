"""The files of docker/: that they fit the code and each other, and that HAProxy does with them what they say."""
