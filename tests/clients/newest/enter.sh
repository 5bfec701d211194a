# Runs a program in the root of the newest clients: sh enter.sh ROOT HOME SHARED PROGRAM…
#
# The caller has started new mount and process namespaces, so nothing here remains. The program may write everywhere: its
# changes to ROOT stay in memory. It sees the folder SHARED, with HOME in it, at the same path as outside, and the files
# below HOME/etc in its own /etc.
set -eu
root=$1 home=$2 shared=$3
shift 3
space=$home/root
mkdir -p "$space"
mount -t tmpfs tmpfs "$space"
cd "$space"
mkdir upper work new
# dockerd needs a root that is a mount point.
mount -t overlay overlay -o "lowerdir=$root,upperdir=upper,workdir=work" new
cd new
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs dev/shm
mount --rbind /sys sys
for folder in run tmp var/lib/containers; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
done
mkdir -p ".$shared" old
mount --bind "$shared" ".$shared"
printf '127.0.0.1 localhost\n' >etc/hosts
: >etc/resolv.conf
[ ! -d "$home/etc" ] || cp -a "$home/etc/." etc
pivot_root . old
exec chroot . sh -c 'umount -l /old && rmdir /old && exec "$@"' sh "$@"
