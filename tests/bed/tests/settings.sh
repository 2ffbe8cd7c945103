# shellcheck shell=sh
# settings.sh TYPE [MEM_MB]: libxl passes no options on, so our helper reads a file and its environment. What decided when
# the pre-copy ends is in the statistics.
. ./lib.sh
n=s-$1
file=/etc/xen/xc-migrate.toml

# decided NAME: the last migration's stop policy, which gave a reason
decided() {
    cat /tmp/stats.json
    grep -q "\"policy\": \"$1\"" /tmp/stats.json && grep -q '"stop_reason": "[^"]' /tmp/stats.json
    _status=$?
    rm -f /tmp/stats.json
    return $_status
}

# The receiver would write its own statistics over those.
migrate() { with ours "$@" xl migrate -s '' "$n" 'env -u XC_MIGRATE_STATS XC_MIGRATE_CONFIG=/dev/null xl migrate-receive'; }

mkguest "$n" "$1" "${2:-32}" fill=2048 dirty=256
fresh "$n" || give_up "$n: start of the guest"
cat > $file << X
stop = "fni:n=2"
stats = "/tmp/stats.json"
X
migrate && decided fni
verdict $? "$n: stop policy and statistics from $file"
migrate env XC_MIGRATE_STOP=itc && decided itc
verdict $? "$n: the environment goes before $file"
echo 'stopp = "psc"' > $file
! migrate > /tmp/said 2>&1 && grep -q 'xc-migrate.toml, line 1: unknown setting "stopp"' /tmp/said && whole "$n"
verdict $? "$n: a mistake in $file is named, and the guest runs on"
cat /tmp/said
rm $file
xl destroy "$n"
end_cases
