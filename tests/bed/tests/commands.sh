# shellcheck shell=sh
# commands.sh TYPE [MEM_MB [SEED]]: xc-save, xc-restore and xc-migrate on a Xen domain, each side ours or stock xl. After
# each step the guest must compute the same hash over the pattern it wrote before, and `xl list` must be right: after
# success, after failure, and after a Ctrl-C at a random moment. And pagemod.sh.
. ./lib.sh
type=$1 mem=${2:-32} seed=${3:-$(date +%s)}
our_commands
n=c-$type
echo "seed $seed"

# ends STATUS COMMAND..: runs the command, which must end with this exit status
ends() {
    _want=$1
    shift
    t "$@" 2> /tmp/said
    _got=$?
    cat /tmp/said
    [ $_got = "$_want" ]
}

# last_line TEXT: the last line of that command says where the guest is
last_line() { tail -n 1 /tmp/said | grep -q "$1"; }

# state: r, b, p or s of the domain of that name
state() { xl list "$1" | awk 'END { gsub("-", "", $5); print $5 }'; }

# alone: the guest is the only one, and lives. A receiver that gave up may still be destroying what it had begun.
alone() {
    _wait=0
    until [ "$(domains)" = 2 ] || [ $_wait -gt 40 ]; do
        sleep 0.5
        _wait=$((_wait + 1))
    done
    if [ "$(domains)" != 2 ] || ! exists "$n"; then
        xl list
        return 1
    fi
    whole "$n"
}

gone() { [ "$(domains)" = 1 ]; }

mkguest "$n" "$type" "$mem" fill=2048 dirty=256
fresh "$n" || exit 1

ends 0 xc-save "$n" /tmp/s && last_line 'runs nowhere' && gone && [ "$(stat -c %a /tmp/s)" = 600 ] &&
    with stock xl restore /tmp/s && alone
verdict $? "$n: xc-save, xl restore"
exists "$n" || fresh "$n"

with stock xl save "$n" /tmp/t && ends 0 xc-restore /tmp/t && last_line "$n runs here" && alone
verdict $? "$n: xl save, xc-restore"
exists "$n" || fresh "$n"

ends 0 xc-save --live --stop fni:n=2 --map batch --stats /tmp/stats.json "$n" /tmp/s && gone && grep -q '"policy": "fni"' /tmp/stats.json &&
    ends 0 xc-restore -p /tmp/s && last_line 'is paused' && [ "$(state "$n")" = p ] && xl unpause "$n" && alone
verdict $? "$n: xc-save --live, xc-restore -p"
mv /tmp/s "/share/out/$n.saved"
exists "$n" || fresh "$n"

ends 0 xc-save -c "$n" /tmp/s && last_line 'runs on here' && alone
verdict $? "$n: xc-save -c"
ends 0 xc-save -p "$n" - > /tmp/s && last_line 'is paused here' && [ "$(state "$n")" = p ] && xl unpause "$n" && alone
verdict $? "$n: xc-save -p to standard output"
ends 0 xc-save --live --bare -c "$n" /tmp/s && alone
verdict $? "$n: xc-save --bare"
if [ "$type" = pvh ]; then
    sed 's/^name = .*/name = "into"/' "/tmp/$n.cfg" > /tmp/into.cfg
    xl create -p /tmp/into.cfg && ends 0 xc-restore --into "$(xl domid into)" /tmp/s && xl unpause into && alive into
    verdict $? "$n: xc-restore --into"
    xl destroy into
fi
rm -f /tmp/s /tmp/t

ends 0 xc-migrate -s '' "$n" xc-migrate-receive && last_line "$n runs on the target" && alone
verdict $? "$n: xc-migrate to xc-migrate-receive"
ends 0 xc-migrate -s '' "$n" 'LIBXL_SAVE_HELPER=/usr/lib/xen-4.17/bin/libxl-save-helper xl migrate-receive' && alone
verdict $? "$n: xc-migrate to xl migrate-receive"
migrate_with stock "$n" xc-migrate-receive && alone
verdict $? "$n: xl migrate to xc-migrate-receive"
xc-restore tcp://127.0.0.1:7000 &
receiver=$!
sleep 1
ends 0 xc-migrate --debug "$n" tcp://127.0.0.1:7000 && wait $receiver && alone
verdict $? "$n: xc-migrate --debug over TCP"

ends 0 xc-migrate record --for 3s "$n" /tmp/r && last_line 'the guest runs on as before' && ! logs_dirty "$n" &&
    xc-migrate predict --link-rate 1G --starts 1 --json /tmp/r > /tmp/p && grep -q '"watched":3.0' /tmp/p && alone
verdict $? "$n: xc-migrate record, predict"
ends 0 xc-migrate predict --for 2s --link-rate 1G --starts 1 "$n" && ! logs_dirty "$n" && alone
verdict $? "$n: xc-migrate predict of a running domain"
timeout -s INT 1 xc-migrate record --for 60s "$n" /tmp/q 2> /tmp/said
[ $? = 130 ] && [ ! -e /tmp/q ] && ! logs_dirty "$n" && alone
verdict $? "$n: Ctrl-C of a recording"

mount -t tmpfs -o size=4m tmpfs /mnt
ends 1 xc-save "$n" /mnt/s && last_line 'runs on here as before' && alone && [ -z "$(ls -A /mnt)" ]
verdict $? "$n: a full disk"
umount /mnt
ends 1 xc-migrate -s '' "$n" false && last_line 'runs on here as before' && alone
verdict $? "$n: no receiver"
ends 1 xc-migrate -s '' "$n" 'head -c 3000000 | xc-migrate-receive' && last_line 'runs on here as before' && alone
verdict $? "$n: a target that dies"
ends 3 xc-migrate --bandwidth fixed:rate=40M --timeout 2s -s '' "$n" xc-migrate-receive && alone
verdict $? "$n: --timeout"
# Stock xl crashes on such a stream, and leaves a domain behind.
start_of_it() { head -c $((48 + $(hexdump -s 44 -n 4 -e '1/4 "%u"' /tmp/s))) /tmp/s; }
ends 0 xc-save -c "$n" /tmp/s && start_of_it > /tmp/t && ends 1 xc-restore /tmp/t && last_line 'nothing of the guest is left' &&
    ends 1 xc-migrate-receive < /tmp/t && alone
verdict $? "$n: a stream that ends behind its configuration"
rm -f /tmp/s /tmp/t
ends 1 xc-save nobody /tmp/s && last_line 'nothing was done' && [ ! -e /tmp/s ]
verdict $? "no such domain"

# moments N SECONDS: N random moments within that time
moments() { awk -v seed="$seed" -v n="$1" -v most="$2" 'BEGIN { srand(seed); while (n--) printf "%.2f\n", rand() * most }'; }

for moment in $(moments 5 6); do
    timeout -s INT "$moment" xc-migrate --bandwidth fixed:rate=80M -s '' "$n" xc-migrate-receive 2> /tmp/said
    status=$?
    cat /tmp/said
    case $status in
        # Nothing is said by a command that had not begun yet.
        130) [ ! -s /tmp/said ] || last_line 'runs on here as before' ;;
        0) last_line "$n runs on the target" ;;
        *) false ;;
    esac && alone
    verdict $? "$n: Ctrl-C after $moment s of a migration (exit status $status)"
done
for moment in $(moments 3 3); do
    timeout -s INT "$moment" xc-save "$n" /tmp/s 2> /tmp/said
    status=$?
    cat /tmp/said
    case $status in
        130) { [ ! -s /tmp/said ] || last_line 'runs on here as before'; } && [ ! -e /tmp/s ] && alone ;;
        0) gone && xc-restore /tmp/s && alone ;;
        *) false ;;
    esac
    verdict $? "$n: Ctrl-C after $moment s of a save (exit status $status)"
    rm -f /tmp/s
done
xl destroy "$n"
sh ./pagemod.sh "$type" || _failed=1
end_cases
