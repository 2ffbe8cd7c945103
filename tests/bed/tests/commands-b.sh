# shellcheck shell=sh
# commands-b.sh: host B of two: receives guests of both types with xc-restore, stock xl and xc-migrate-receive, and
# looks at what came.
. ./lib.sh
boots=0
our_commands

# arrived GUEST RECEIVER: waits for the process that takes the guest in
arrived() {
    wait "$2" && whole "$1"
    verdict $? "$1: whole on host B"
    xl destroy "$1"
}

# They all wait from now on, but not for ever: nobody comes when host A fails.
patience=900
t timeout $patience xc-restore tcp://0.0.0.0:7001 & pv_ours=$!
with stock timeout $patience nc -l -p 8001 -e xl migrate-receive & pv_stock=$!
received_from stock $patience nc -l -p 9001 -e xc-migrate-receive & pv_theirs=$!
t timeout $patience xc-restore tcp://0.0.0.0:7002 & pvh_ours=$!
with stock timeout $patience nc -l -p 8002 -e xl migrate-receive & pvh_stock=$!
received_from stock $patience nc -l -p 9002 -e xc-migrate-receive & pvh_theirs=$!
arrived pv-ours $pv_ours
arrived pv-stock $pv_stock
arrived pv-theirs $pv_theirs
arrived pvh-ours $pvh_ours
arrived pvh-stock $pvh_stock
arrived pvh-theirs $pvh_theirs
end_cases
