# shellcheck shell=sh
# no-shadow.sh [MEM_MB]: on a hypervisor without shadow paging a PV guest cannot be migrated live: the refusal must say
# so, and the guest must run on. A plain save works.
. ./lib.sh
mkguest plain pv "${1:-32}" fill=2048 dirty=256
fresh plain || give_up "pv: start of the guest"
! with ours xl migrate -s '' plain 'xl migrate-receive' > /tmp/said 2>&1
verdict $? "pv: live migration without shadow paging is refused"
cat /tmp/said
[ "$(grep -c CONFIG_SHADOW_PAGING /tmp/said)" = 1 ]
verdict $? "pv: the refusal names the cause and the remedy, once"
alive plain
verdict $? "pv: the guest runs on"
with ours xl save plain /tmp/s && with ours xl restore /tmp/s && whole plain
verdict $? "pv: a plain save and restore without shadow paging"
end_cases
