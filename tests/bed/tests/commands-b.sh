# shellcheck shell=sh
# commands-b.sh TYPE: host B of two: receives with xc-restore, then with stock xl, and looks at what came.
. ./lib.sh
type=$1
want=14f0a2675eb2f73ad61b06fd7c2d66726ddcaadc11d9957d7bf126bce04f82b4 # fill=2048
mkdir -p /tmp/bin && cp /share/in/xc-* /share/in/libxl-save-helper /tmp/bin && PATH=/tmp/bin:$PATH

arrived() { # GUEST
    alive "$1" && waitfor "$1" 'GUEST tick.*sha256' 120 &&
        [ "$(conlog "$1" | awk '/GUEST tick.*sha256/ { v = $NF } END { print v }')" = "$want" ]
    verdict $? "$1: runs on host B with its memory"
}

t xc-restore tcp://0.0.0.0:7000
arrived "$type-ours"
with stock nc -l -p 8002 -e xl migrate-receive
arrived "$type-stock"
end_cases
