# shellcheck shell=sh
# type.sh TYPE [SEED]: all scripts about one type of guest, in one boot.
export SEED="$2"
failed=0
scripts='helper balloon faults settings'
if [ "$1" = hvm ]; then scripts="$scripts device-model"; fi
for script in $scripts; do
    sh "./$script.sh" "$1" || failed=1
done
exit $failed
