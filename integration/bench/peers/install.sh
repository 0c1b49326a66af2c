#!/bin/sh
# install.sh installs the peers that are not Go. Each folder's own install.sh puts
# into its dist, which git ignores, the function, a bootstrap that starts it with
# an environment that has not even a PATH, and versions.txt: one line, from what is
# installed. A peer that is as its sources and its interpreter want it is left
# alone. One that cannot be installed has no dist afterwards; why is said in one
# line, and is no failure.
set -u
cd "$(dirname "$0")"

# peer NAME "SOURCES" INTERPRETER TOOL...
peer() {
	name=$1 sources=$2 interpreter=$3
	shift 2
	for tool; do
		if ! command -v "$tool" >/dev/null; then
			rm -rf "$name/dist"
			echo "$name is left out: it needs $tool, which is not on the PATH"
			return
		fi
	done
	inputs=$(command -v "$interpreter"; "$interpreter" --version; cd "$name" && cksum $sources install.sh)
	if [ "$(cat "$name/dist/.inputs" 2>/dev/null)" = "$inputs" ]; then
		return
	fi
	rm -rf "$name/dist"
	if (cd "$name" && sh -eu ./install.sh) >"$name/install.log" 2>&1; then
		echo "$inputs" >"$name/dist/.inputs"
	else
		rm -rf "$name/dist"
		echo "$name is left out: its install.sh failed; the last lines of $name/install.log: $(grep . "$name/install.log" | tail -n 3 | tr -s '\n ' ' ')"
	fi
}

# npm builds aws-lambda-ric from C and C++ sources, through node-gyp.
peer powertools-node 'index.ts package.json package-lock.json' node npm python3 cmake make g++ tar xz
peer powertools-python 'app.py requirements.txt' python3
