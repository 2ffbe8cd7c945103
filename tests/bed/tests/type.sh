# shellcheck shell=sh
# type.sh TYPE [SEED]: all scripts about one type of guest, in one boot.
export SEED="$2"
failed=0
scripts='helper balloon faults settings'
# To ours the memory of an HVM guest is that of a PVH guest.
if [ "$1" = hvm ]; then scripts='helper device-model'; fi
for script in $scripts; do
    sh "./$script.sh" "$1" || failed=1
done
exit $failed
