# shellcheck shell=sh
# package.sh: the Debian package in dom0: installed, wired into xl as docs/xen.md says, used, and purged.
. ./lib.sh
helper=/usr/libexec/xc/libxl-save-helper
n=package

# All files but those of a running system, of Xen's own tools, and of dpkg.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /var/log -o -path /var/lib/xen -o -path /var/lib/dpkg \) -prune \
        -o -type f -print | sort
}

# What busybox's dpkg wants to find; its dependencies are in this dom0, but dpkg does not know them.
mkdir -p /var/lib/dpkg/info
touch /var/lib/dpkg/status
files > /tmp/before
dpkg -i --force-depends ./xc-migrate_*.deb > /tmp/said 2>&1 && xc-migrate --version && [ -x $helper ]
verdict $? "package: installs"
cat /tmp/said

xc-migrate doctor > /tmp/doctor && grep -q "^good  our helper .*works on Xen 4\.17" /tmp/doctor &&
    grep -q '^good  log-dirty PV ' /tmp/doctor && grep -q '^poor  helper of xl ' /tmp/doctor &&
    LIBXL_SAVE_HELPER=$helper xc-migrate doctor | grep -q "^good  helper of xl *$helper"
verdict $? "package: doctor"
cat /tmp/doctor

mkguest $n pvh 32 fill=2048 dirty=256
fresh $n || give_up "package: start of the guest"
rm -f /tmp/stats.json
LIBXL_SAVE_HELPER=$helper XC_MIGRATE_STATS=/tmp/stats.json t xl migrate -s '' $n 'env -u XC_MIGRATE_STATS xl migrate-receive' &&
    grep -q '"rounds"' /tmp/stats.json && whole $n
verdict $? "package: xl migrate with LIBXL_SAVE_HELPER"
t xc-migrate -s '' $n xc-migrate-receive && whole $n
verdict $? "package: xc-migrate"

dpkg -P xc-migrate > /tmp/said 2>&1 && files > /tmp/after && diff /tmp/before /tmp/after
verdict $? "package: purged, and nothing is left"
cat /tmp/said
t xl migrate -s '' $n 'xl migrate-receive' && whole $n
verdict $? "package: stock xl as before"
xl destroy $n
end_cases
