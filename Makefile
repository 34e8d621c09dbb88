# What a person types. Meson does the work; this file installs what is missing, hides that there
# are several build directories, and names the suites.
#
#   make           build everything
#   make check     install what the tests need, build, run every test
#   make demo      boot a guest and show its trace  (AGENT='CMD "ARG 1" ARG2', MODE=initrd|image)
#   make fuzz      every parser against libFuzzer  (SECONDS=60, each)
#   make install   to DESTDIR and PREFIX
#   make clean     remove build/

BUILD := build
MAIN := $(BUILD)/main
MUSL := $(BUILD)/musl
ASAN := $(BUILD)/asan
CLANG := $(BUILD)/clang
INIT := $(abspath $(MUSL)/src/init/rootspan-init)
PREFIX ?= /usr
MODE ?= initrd

.PHONY: all build musl deps demo demo-run check fuzz install clean format
all: build

deps:
	@tools/deps

# One build directory for musl's PID 1, one for all else.
$(MUSL)/build.ninja: | deps
	CC=musl-gcc meson setup $(MUSL) -Donly_init=true -Db_staticpic=false
$(MAIN)/build.ninja: | deps musl
	meson setup $(MAIN) --prefix=$(PREFIX) -Dprebuilt_init=$(INIT)
$(ASAN)/build.ninja: | deps
	meson setup $(ASAN) --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
$(CLANG)/build.ninja: | deps
	CC=clang meson setup $(CLANG) --werror

musl: $(MUSL)/build.ninja
	ninja -C $(MUSL)
build: musl $(MAIN)/build.ninja
	ninja -C $(MAIN)

# AGENT reaches the demo through the environment, as it was typed: quotes, dollars and all. The
# status of the demo, the agent's, becomes make's own by a function that make loads for this goal.
override AGENT := $(value AGENT)
export AGENT
ifneq ($(filter demo,$(MAKECMDGOALS)),)
-load $(BUILD)/make-exit.so(make_exit_gmk_setup)
endif
$(BUILD)/make-exit.so: tools/make-exit.c | deps
	@mkdir -p $(BUILD)
	@$(CC) -shared -fPIC -o $@ $<
demo: demo-run
	@$(make-exit $(file <$(BUILD)/demo.status))
demo-run: build
	@initrd/demo --build $(MAIN) --init $(INIT) --out $(BUILD)/demo --mode $(MODE); echo $$? >$(BUILD)/demo.status

check: build $(ASAN)/build.ninja $(CLANG)/build.ninja
	ninja -C $(ASAN)
	ninja -C $(CLANG)
	tests/run-all $(MAIN) $(ASAN)

# Every parser against libFuzzer for SECONDS each.
SECONDS ?= 60
fuzz: deps
	tests/fuzz/run --seconds $(SECONDS)

install: build
	meson install -C $(MAIN) --no-rebuild

clean:
	rm -rf $(BUILD)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i
