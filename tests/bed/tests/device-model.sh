# shellcheck shell=sh
# device-model.sh: what is special about an HVM guest. Its device model must note what it writes into the guest's memory
# while that is copied. It belongs to libxl, so a command that goes without libxl refuses such a guest, which runs on.
. ./lib.sh
tool=/share/in/xen-domain
n=dm
mkguest $n hvm 32 fill=2048 dirty=256
fresh $n || give_up "$n: start of the guest"

# libxl tells the device model by a command, which -vvv shows: once to begin, and once to end.
with ours xl -vvv migrate -s '' $n 'xl migrate-receive' > /tmp/said 2>&1 && whole $n &&
    [ "$(grep -c "ev_qmp_send.*'xen-set-global-dirty-log'" /tmp/said)" = 2 ]
verdict $? "$n: a live migration has the device model log what it writes, and stop it"
grep -E 'dirty-log|error' /tmp/said
exists $n || fresh $n

refused() { # CASE COMMAND..
    _case=$1
    shift
    ! "$@" > /tmp/said 2>&1 && grep -q 'device model' /tmp/said && whole $n
    verdict $? "$n: $_case without libxl is refused, and says why"
    cat /tmp/said
}
refused save $tool save "$(xl domid $n)" /tmp/s
refused restore $tool restore "$(xl domid $n)" /tmp/s
xl destroy $n
end_cases
