# shellcheck shell=sh
# alone.sh [MEM_MB]: saved, resumed and restored without libxl: the guest is asked to suspend by xenstore, the file is
# the bare libxc stream, and what it is put into is a domain that xl created and that never ran.
. ./lib.sh
tool=/share/in/xen-domain
want=14f0a2675eb2f73ad61b06fd7c2d66726ddcaadc11d9957d7bf126bce04f82b4 # fill=2048
for type in pv pvh; do
    n=a-$type
    mkguest $n $type "${1:-32}" fill=2048 dirty=256
    fresh $n || give_up "$n: start of the guest"
    for how in save live; do
        t $tool $how "$(xl domid $n)" /tmp/$how && whole $n
        verdict $? "$n: $how without libxl, and the guest runs on"
        # What libxl does next must find xenstored and the guest as they were.
        t xl save -c $n /tmp/s && whole $n
        verdict $? "$n: xl save -c after it"
        rm /tmp/s
    done
    xl destroy $n
done

# Only an HVM or PVH domain can be emptied and filled again.
for how in save live; do
    rm -f /var/log/xen/console/guest-*
    xl create -p /tmp/a-pvh.cfg && t $tool restore "$(xl domid a-pvh)" /tmp/$how && xl unpause a-pvh &&
        waitfor a-pvh 'GUEST tick.*sha256' &&
        [ "$(conlog a-pvh | awk '/sha256/ { v = $NF } END { print v }')" = "$want" ]
    verdict $? "a-pvh: restore --into, of $how"
    ! $tool restore "$(xl domid a-pvh)" /tmp/$how && alive a-pvh
    verdict $? "a-pvh: a domain that has run is refused, and runs on"
    xl destroy a-pvh
done
end_cases
