#!/bin/sh
# What the containers of valkey.yaml run: `server`, `sentinel`, and `leave` before a pod goes.
# ADDRESS is this pod's, PEERS those of all pods; data is in DATA. PASSWORD is that of all servers and Sentinels, for each
# other and for this script; NODE_PASSWORD that of the user gameserver, who has no more rights than nodes need (node.acl).
#
# Who leads is what a Sentinel says that answers, else what this pod's own Sentinel wrote down, else the first of PEERS.
# A pod that is wrong about it does no harm: nobody follows it, so it takes no changes (min-replicas-to-write), and the
# Sentinels make it follow the one that leads.
set -eu
umask 077
PORT=${PORT:-6379}
SENTINEL_PORT=${SENTINEL_PORT:-26379}
DATA=${DATA:-/data}
export REDISCLI_AUTH="$PASSWORD"

NODE_RIGHTS=$(sed -n 's/^user gameserver on #[0-9a-f]* //p' "$(dirname "$0")/node.acl")
SENTINEL_RIGHTS="resetkeys resetchannels -@all +ping +sentinel|get-master-addr-by-name +sentinel|master"
SENTINEL_RIGHTS="$SENTINEL_RIGHTS +sentinel|masters +sentinel|replicas +sentinel|slaves +sentinel|sentinels"

ask() { # of which address, which port, what
    host=$1 port=$2
    shift 2
    timeout 2 valkey-cli -h "$host" -p "$port" "$@" 2>/dev/null || true
}

leader() {
    for peer in $PEERS; do
        said=$(ask "$peer" "$SENTINEL_PORT" sentinel get-master-addr-by-name gameserver | head -n 1)
        for known in $PEERS; do
            if [ "$said" = "$known" ]; then echo "$known"; return; fi
        done
    done
    written=$(sed -n 's/^sentinel monitor gameserver \([^ ]*\) .*/\1/p' "$DATA/sentinel.conf" 2>/dev/null || true)
    echo "${written:-${PEERS%% *}}"
}

server() {
    leader=$(leader)
    {
        cat <<SETTINGS
bind ${BIND:-* -::*}
port $PORT
requirepass $PASSWORD
masterauth $PASSWORD
user gameserver on >$NODE_PASSWORD $NODE_RIGHTS
replica-announce-ip $ADDRESS
dir $DATA
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
maxmemory-policy noeviction
repl-diskless-sync-delay 0
min-replicas-to-write 1
min-replicas-max-lag 3
SETTINGS
        if [ "$leader" != "$ADDRESS" ]; then echo "replicaof $leader $PORT"; fi
    } >"$DATA/valkey.conf"
    exec valkey-server "$DATA/valkey.conf"
}

sentinel() {
    state="$DATA/sentinel.conf"
    if [ ! -s "$state" ]; then
        # Its number follows from its address, so that the others never count it twice.
        cat >"$state.new" <<SETTINGS
bind ${BIND:-* -::*}
port $SENTINEL_PORT
dir $DATA
sentinel myid $(printf %s "$ADDRESS" | sha1sum | cut -c 1-40)
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $ADDRESS
sentinel monitor gameserver $(leader) $PORT 2
sentinel down-after-milliseconds gameserver ${DOWN_AFTER:-5000}
sentinel failover-timeout gameserver 15000
sentinel parallel-syncs gameserver 1
SETTINGS
        mv "$state.new" "$state"
    fi
    # The passwords may be others since.
    sed -i -e '/^requirepass /d' -e '/^user /d' -e '/^sentinel auth-pass /d' -e '/^sentinel sentinel-pass /d' "$state"
    cat >>"$state" <<SETTINGS
requirepass $PASSWORD
user gameserver on >$NODE_PASSWORD $SENTINEL_RIGHTS
sentinel sentinel-pass $PASSWORD
sentinel auth-pass gameserver $PASSWORD
SETTINGS
    exec valkey-server "$state" --sentinel
}

others() {
    for peer in $PEERS; do if [ "$peer" != "$ADDRESS" ]; then echo "$peer"; fi; done
}

hand_over() { # by which Sentinel; whether it agreed
    # Coordinated (Valkey 9): the one that leads stops taking changes before another one leads.
    for how in coordinated ""; do
        # shellcheck disable=SC2086
        case $(ask "$1" "$SENTINEL_PORT" sentinel failover gameserver $how) in
            OK* | *INPROG*) return 0 ;;
        esac
    done
    return 1
}

LEAVING=10
leave() { # hands the lead over, for so many seconds at the most, so that players don't wait until it is missed
    # This pod's Sentinel may be gone before its server is, so those of the others come first.
    end=$(($(date +%s) + LEAVING))
    while ask "$ADDRESS" "$PORT" info replication | grep -q "^role:master"; do
        for peer in $(others) "$ADDRESS"; do
            if [ "$(date +%s)" -ge "$end" ]; then return; fi
            if hand_over "$peer"; then break; fi
        done
        sleep 1
    done
}

"$1"
