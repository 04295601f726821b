# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# Sourced by run-kafka, whose functions and variables it uses: several nodes, each broker and controller, in folders 1, 2 ... of DIR. Each record has a copy on three
# of them (or on all, if they are fewer), and more than half must have it before it is acknowledged.

# node_properties NUMBER COPIES PORT CONTROLLER_PORT VOTERS
node_properties() {
    local copies=$2 insync=$(($2 / 2 + 1))
    sed -E "s/^node.id=.*/node.id=$1/
        s/^(default|offsets.topic|transaction.state.log|share.coordinator.state.topic)\\.replication\\.factor=.*/\\1.replication.factor=$copies/
        s/^((transaction.state.log|share.coordinator.state.topic)\\.min\\.isr|min\\.insync\\.replicas)=.*/\\1=$insync/" "$here/kafka/server.properties"
    printf 'leader.imbalance.check.interval.seconds=5\n'
    address_properties PLAINTEXT "$3" "$4" "$5" "$dir/$1"
}

start_cluster() { # start_cluster NODES FIRST_PORT, which is 0 for any free ones
    local nodes=$1 n voters='' ports=() controllers=() bootstrap='' cluster=$dir
    for ((n = 1; n <= nodes; n++)); do
        ports[n]=$(($2 ? $2 + n - 1 : $(free_port)))
        controllers[n]=$(free_port)
        voters+=${voters:+,}$n@127.0.0.1:${controllers[n]}
        bootstrap+=${bootstrap:+,}127.0.0.1:${ports[n]}
    done
    cluster_id=$(new_uuid)
    for ((n = 1; n <= nodes; n++)); do
        mkdir -p "$cluster/$n" && : >"$cluster/$n/kafka.log"
        [[ $keep == yes ]] || rm -rf "$cluster/$n/data"
        node_properties $n $((nodes < 3 ? nodes : 3)) "${ports[n]}" "${controllers[n]}" "$voters" >"$cluster/$n/server.properties"
        in_node "$cluster" $n format_data
        in_node "$cluster" $n start_java
    done
    for ((n = 1; n <= nodes; n++)); do
        in_node "$cluster" $n wait_ready && continue
        "$here/stop-kafka" --dir "$cluster"
        in_node "$cluster" $n fail_with_log
    done
    printf '%s\n' "$bootstrap" >"$cluster/bootstrap"
}

# in_node CLUSTER_FOLDER NUMBER COMMAND...: with that node's folder as `dir`.
in_node() {
    local dir=$1/$2
    shift 2
    "$@"
}

start_node() { # one that was started before and has ended
    [[ -f $dir/$1/server.properties ]] || die "there is no node $1 in $dir: start the cluster with --brokers first"
    : >"$dir/$1/kafka.log"
    in_node "$dir" "$1" start_java
    in_node "$dir" "$1" wait_ready || in_node "$dir" "$1" fail_with_log
}
