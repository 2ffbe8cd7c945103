# shellcheck shell=sh
# movers.sh: what both hosts of a pair know: the guests, each named TYPE-FROM-TO after the save helpers of the two hosts.
movers='pv-ours-ours pv-ours-stock pv-stock-ours pvh-ours-ours pvh-ours-stock pvh-stock-ours hvm-ours-ours'
# Of the first; each has a port of its own.
first_port=8002

# split MOVER: into $type, $from and $to
split() {
    type=${1%%-*} to=${1##*-} from=${1#*-}
    from=${from%-*}
}
