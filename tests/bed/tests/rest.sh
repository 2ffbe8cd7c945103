# shellcheck shell=sh
# rest.sh: the streams of the repository, what works without libxl, and the package, in one boot.
failed=0
sh ./restore.sh ours || failed=1
sh ./alone.sh || failed=1
sh ./package.sh || failed=1
exit $failed
