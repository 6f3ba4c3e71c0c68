# SPDX-License-Identifier: MIT
# The front door: Meson does the work.  Every target works on a fresh Debian 12
# machine, as root or with sudo.

BUILD ?= build
comma := ,

# Packages may have been installed since a build folder was configured: then what
# Meson has found, and has not found, is looked up again.
define configure
	@test -f $(1)/build.ninja || meson setup $(2) $(1)
	@test ! /var/lib/dpkg/status -nt $(1)/build.ninja || \
		{ meson configure --clearcache $(1) && meson setup --reconfigure $(1) >/dev/null; }
endef

.PHONY: all deps build demo demo-servers check check-servers check-sanitize oracle oracle-keep oracle-long guest vm soak bench bench-docs install clean

all: build

deps:
	@tools/deps.sh build

build: deps
	$(call configure,$(BUILD))
	@ninja -C $(BUILD)

demo: build
	@tools/deps.sh demo
	@demo/run

demo-servers: build
	@tools/deps.sh servers
	@SURETY=$(abspath $(BUILD))/surety demo/run all

check:
	@tools/deps.sh build test
	$(call configure,$(BUILD))
	@ninja -C $(BUILD)
	@tests/run --build $(BUILD)

# Servers and other programs under load, for minutes.
check-servers:
	@tools/deps.sh build test servers
	$(call configure,$(BUILD))
	@ninja -C $(BUILD)
	@tests/run --build $(BUILD) --suite servers

# With every access to memory watched; of the live tests those of the engine.
check-sanitize:
	@tools/deps.sh build test
	$(call configure,build-asan,-Db_sanitize=address$(comma)undefined -Dstatic=false)
	@ninja -C build-asan
	@tests/run --build build-asan unit/ parse/ fuzz/ live/test_forks live/test_races live/test_regressions \
		live/test_torture live/test_vectors fault/

# Packaged kernels in emulated machines: the written scripts, and some random ones.
oracle: guest
	@tests/run --build $(BUILD) --suite guest

# After a look at what has changed: their results are what make check compares with.
oracle-keep: guest
	@tests/oracle/written --build $(BUILD) --keep

oracle-long: guest
	@tests/oracle/random --build $(BUILD) --seeds 1..1000 --operations 200

guest:
	@tools/deps.sh build test guest
	$(call configure,$(BUILD))
	@ninja -C $(BUILD)

# The bpf engine, in the same machines.
vm: guest
	@tests/run --build $(BUILD) --suite guest vm_

# stress-ng's classes for a minute each
soak: build
	@tools/deps.sh test
	@SURETY=$(abspath $(BUILD))/surety SECONDS=60 python3 tests/programs/test_stress.py

bench: build
	@tools/deps.sh test bench
	@bench/run

# Tables and pictures of the documents, from the data that docs/bench has.
bench-docs:
	@bench/plot

install: build
	@meson install -C $(BUILD)

clean:
	rm -rf build build-asan
