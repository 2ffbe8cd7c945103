# shellcheck shell=sh
# device-model.sh: what is special about an HVM guest. Its device model belongs to libxl, so a command that goes without
# libxl refuses such a guest, and it runs on.
. ./lib.sh
tool=/share/in/xen-domain
n=dm
mkguest $n hvm 32 fill=2048 dirty=256
fresh $n || give_up "$n: start of the guest"

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
