# shellcheck shell=sh
# type.sh TYPE [SEED]: all scripts about one type of guest, in one boot.
export SEED="$2"
failed=0
for script in helper balloon faults settings; do
    sh "./$script.sh" "$1" || failed=1
done
exit $failed
