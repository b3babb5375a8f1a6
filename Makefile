# SPDX-License-Identifier: Apache-2.0
#
# Makefile — builds, tests and installs meshd; one file, not recursive.
#
# Targets
#   all            the program build/meshd, and its stripped copy (default)
#   lib            the modules' archives only
#   check          every suite below, sanitizers included; its last line is
#                  "N passed, N failed" over all of them
#   check-unit     tests/unit/<module>/*.c, each a cmocka program
#   check-sim      tests/sim/*.c: many nodes in memory
#   check-oom      tests/oom/*.c: each allocation fails once
#   check-io       tests/io/*.c: each call on a file fails once; the store's
#                  walks of both kinds are unit/store/faults
#   check-e2e      pytest over tests/{golden,e2e,interop}, the last with
#                  H2SPEC and, in the folder GRPC_INTEROP, gRPC's own client
#                  and server; or go builds them below BUILD
#   interop        tests/peers: databases, sshd, Node … through a pair
#                  of agents; one that is not installed is skipped and said
#   conformance    tests/conformance/run.py on CORPUS, a folder of recorded
#                  configuration; part of check if CORPUS is set
#   conformance-peer   generated documents, judged and analysed by a real
#                  istioctl as well;
#                  ISTIOCTL, or go installs it below BUILD; PEER_ARGS
#   check-reproducible   a second build, elsewhere, gives the same bytes
#   check-third    the built libraries against known answers
#   check-mbedtls  mbedTLS's own suites over the library as we built it, and
#                  over our patches as mbedTLS configures itself; two minutes,
#                  no part of check
#   check-asan     the suites above under ASan and UBSan
#   check-tsan     the suites above under TSan
#   fuzz           libFuzzer on each tests/fuzz/*.c for FUZZ_SECONDS
#   fuzz-replay    the kept corpora once, without libFuzzer
#   lint           style rules, layers, format, shell scripts, manual pages,
#                  and lint-deep; what .ci/run does after check
#   lint-deep      clang-tidy and gcc -fanalyzer, of what has changed
#   format         clang-format over our own C
#   coverage       line coverage of unit tests, simulation and corpora
#   man            checks the manual pages, and that they, --help, the option
#                  tables and the sample of settings agree
#   man-resources  writes meshd-resources(5) anew, from the tables of fields
#   bench          tests/bench against the peers; writes build/bench.json;
#                  gRPC's benchmark is in the folder GRPC_BENCH, or Go builds
#                  it below BUILD
#   bench-config   what configuration costs, of CORPUS beside ISTIOCTL (as
#                  above) too, if it is set; into the same file
#   soak           a small mesh under every protocol for SOAK_SECONDS, while
#                  all of it changes: memory over time, and sums of calls
#   crash          KILLS times SIGKILL, for whom and when SEED says, under load:
#                  what was acknowledged is there, and nothing else is left
#   demo           a mesh on this machine, in network namespaces
#   install        DESTDIR and PREFIX are obeyed
#   tarball deb rpm   what install lays out, packed, into BUILD/packages;
#                  packaging/README.md
#   provenance     those three, how they were made (in-toto, SLSA), and the
#                  digests of all
#   repo           of these, and those of ARCH=arm64 if they were made, trees
#                  for apt and dnf in REPO (BUILD/repo), signed by the key of
#                  gpg that REPO_KEY names in the environment
#   check-packages   tests/packaging: their files, lint, and their lives in a
#                  fresh root, ROOT or one that debootstrap makes, and under
#                  systemd in a container; as root, no part of check
#   check-vm       tests/vm: the same on machines that qemu emulates, with
#                  Debian's kernel and systemd, beside namespaces in one mesh;
#                  ROOT, or debootstrap makes it; transcripts are kept in
#                  BUILD/results/vm-told; as root, no part of check
#   third_party    the libraries that Debian's archives do not give
#   clean          removes BUILD, but keeps build/third_party
#
# Knobs
#   V=1            shows the commands
#   BUILD=dir      where everything goes (build). build/third_party is shared.
#   CC=gcc|clang   any variant but the default one has a folder of its own
#   ARCH=arm64     all tarball deb rpm: for that machine, on this one, by
#                  Debian's cross compiler; no tests (this machine's)
#   SANITIZE=address,undefined | thread      below BUILD, and a dynamic link
#   CRYPTO=awslc|mbedtls   whose primitives mbedTLS uses (awslc)
#   MODULES='a b'  lib, check-unit, fuzz: only these and the layers below them
#   TESTS=pattern  check-unit: only the topics that match, as in TESTS=slice%
#   FUZZ='a b' FUZZ_SECONDS=n   which fuzzers, and how long each (all, 60)
#   SOAK_SECONDS=n   soak: how long (3600)
#   KILLS=n SEED=n   crash: how many (1000), and which (the time, and printed)
#   WORKERS=n      check-e2e: how many processes share the tests (4 a core);
#                  each is in namespaces of its own. 1: one after another, here
#   TIDY_NODES=n   lint-tidy: how far into a function it walks (20000)
#   PYTEST_ARGS= BENCH_ARGS= DEMO_ARGS=      handed on
#   PEERS=dir      programs that Debian lacks, in bin/, for bench and interop
#   ROOT=dir       what debootstrap made, for check-packages and check-vm; it is
#                  copied
#   CORPUS=dir     recorded configuration, for conformance and bench-config (none)
#
# How a file finds its headers
#   modules/<N>-<layer>/<module>/ in layer N sees the layers below N and its
#   own folder and rooms, nothing else. A wrong include does not compile.
#   -iquote keeps a header of ours from hiding a system header. A third-party
#   header is seen by the module that owns the library (OWNS_ below).
#
# Tests see the layers up to their module's, and its private folder. A test
# links its module and the layers below. tests/<suite>/support/*.c and
# tests/unit/<module>/support/*.c go into every program beside them.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

VERSION := 0.1.0
BUILD ?= build
CRYPTO ?= awslc
SANITIZE ?=
COVERAGE ?=
MODULES ?=
TESTS ?= %
FUZZ ?=
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 3600
KILLS ?= 1000
SEED ?=
PREFIX ?= /usr
DESTDIR ?=
V ?=
NATIVE := $(patsubst x86_64,amd64,$(patsubst aarch64,arm64,$(shell uname -m)))
ARCH ?= $(NATIVE)
CROSS := $(filter-out $(NATIVE),$(ARCH))
TRIPLET := $(if $(CROSS),aarch64-linux-gnu)
TOOLS := $(if $(CROSS),$(TRIPLET)-)
CC := $(if $(filter default undefined,$(origin CC)),$(TOOLS)gcc,$(CC))
AR := $(TOOLS)ar
STRIP := $(TOOLS)strip
# What prints completions, of which there is one program only.
EMULATOR := $(if $(CROSS),qemu-aarch64-static)
PYTHON := /usr/bin/python3

Q := $(if $(V),,@)
say = $(if $(V),:,printf '  %-7s %s\n' $1 $2)

ifneq ($(filter-out arm64,$(CROSS)),)
$(error ARCH is $(NATIVE) or arm64, not "$(ARCH)")
endif
ifneq ($(filter-out awslc mbedtls,$(CRYPTO)),)
$(error CRYPTO is awslc or mbedtls, not "$(CRYPTO)")
endif
comma := ,
ifneq ($(filter-out address$(comma)undefined thread fuzzer,$(SANITIZE)),)
$(error SANITIZE is address,undefined or thread, not "$(SANITIZE)")
endif

# --- where things go ---------------------------------------------------------

empty :=
space := $(empty) $(empty)
VARIANT := $(subst $(space),-,$(strip \
    $(filter-out $(TOOLS)gcc,$(notdir $(CC))) $(CROSS) \
    $(if $(filter address%,$(SANITIZE)),asan) \
    $(if $(filter thread,$(SANITIZE)),tsan) \
    $(if $(filter fuzzer,$(SANITIZE)),fuzz) \
    $(if $(COVERAGE),coverage) \
    $(filter-out awslc,$(CRYPTO))))
O := $(BUILD)$(if $(VARIANT),/$(VARIANT))
TP := build/third_party$(CROSS:%=/%)
GEN := $(BUILD)/gen

# --- modules and layers ------------------------------------------------------

DIGITS := 0 1 2 3 4 5 6 7 8 9
MODULE_DIRS := $(patsubst %/,%,$(sort $(wildcard modules/[0-9]-*/*/)))
MODULE_NAMES := $(notdir $(MODULE_DIRS))

# $(call number,path): the layer's number; main.c and the tools are above all
number = $(firstword $(subst -, ,$(word 2,$(subst /, ,$1))))
# $(call folder,module): its folder
folder = $(filter %/$1,$(MODULE_DIRS))
# $(call below,N): the folders of layers under N
below = $(wildcard $(patsubst %,modules/%-*,$(wordlist 1,$1,$(DIGITS))))
# $(call modules_below,N): the names of the modules in them
modules_below = $(notdir $(filter \
    $(addsuffix /%,$(call below,$1)),$(MODULE_DIRS)))
# $(call protos,module): its protocol buffers, without the ending
protos = $(patsubst %.proto,%,$(wildcard $(call folder,$1)/proto/*.proto))
# $(call tables,module): its tables, without the ending of who writes them
tables = $(patsubst %.py,%,$(wildcard $(call folder,$1)/*/*.py))
# $(call sources,module) and $(call archive,module...)
sources = $(sort $(wildcard $(call folder,$1)/*.c $(call folder,$1)/*/*.c))
archive = $(patsubst %,$(O)/lib/%.a,$1)
# $(call closure,module): it and the layers below, the highest first
closure = $1 $(call modules_below,$(call number,$(call folder,$1)))

ifneq ($(filter-out $(MODULE_NAMES),$(MODULES)),)
$(error no such module: $(filter-out $(MODULE_NAMES),$(MODULES)))
endif
CHOSEN := $(sort $(if $(MODULES), \
    $(foreach m,$(MODULES),$(call closure,$m)),$(MODULE_NAMES)))
# A folder may hold only its README yet.
BUILDABLE := $(foreach m,$(MODULE_NAMES),$(if $(call sources,$m),$m))
buildable = $(filter $(BUILDABLE),$1)

# --- third party -------------------------------------------------------------

# Who owns which library of third_party; the rest lies in /usr/include.
OWNS_base := $(filter awslc,$(CRYPTO))
OWNS_codec := inih
OWNS_tls := mbedtls-$(CRYPTO)
OWNS_http := llhttp nghttp2
# Tests of the proxy speak HTTP/2 to it by the library alone.
TESTS_BY_proxy := nghttp2

TP_NAMES := mbedtls-$(CRYPTO) $(filter awslc,$(CRYPTO)) inih llhttp nghttp2
TP_STAMPS := $(TP_NAMES:%=$(TP)/stamp/%)
# For this machine apt has installed them.
DEBIAN := $(CROSS:%=$(TP)/debian/usr)
DEBIAN_STAMP := $(CROSS:%=$(TP)/stamp/debian)
TP_LIBS = $(foreach n,$(TP_NAMES),$(wildcard $(TP)/lib/$n/*.a))
SYSTEM_LIBS := -levent_pthreads -levent_extra -levent_core \
    -lsqlite3 -lsodium -lyaml -lprotobuf-c -ljansson -lm -lpthread

# --- flags -------------------------------------------------------------------

SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
export LC_ALL := C

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
    -Wpointer-arith -Wcast-qual -Wvla -Wwrite-strings -Wundef -Wformat=2 \
    -Wold-style-definition -Wdate-time -Werror
DEFINES := -D_GNU_SOURCE -DMESHD_VERSION='"$(VERSION)"' \
    -DMESHD_CRYPTO_AWSLC=$(if $(filter awslc,$(CRYPTO)),1,0)
BASE_FLAGS := -std=gnu11 -g -fPIE -pthread -ffunction-sections \
    -fdata-sections -fno-common -ffile-prefix-map=$(CURDIR)=. \
    $(DEBIAN:%=-isystem %/include -isystem %/include/$(TRIPLET))
ifeq ($(SANITIZE),)
CODE_FLAGS := $(if $(COVERAGE),-O0 --coverage,-O2 -fstack-protector-strong \
    -D_FORTIFY_SOURCE=2)
LINK_MODE := $(if $(COVERAGE),--coverage)
else ifeq ($(SANITIZE),fuzzer)
CODE_FLAGS := -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all \
    -fsanitize=fuzzer-no-link,address,undefined
LINK_MODE := -fsanitize=address,undefined
else
CODE_FLAGS := -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all \
    -fsanitize=$(SANITIZE)
LINK_MODE := -fsanitize=$(SANITIZE)
endif
# Instrumented code makes gcc see ghosts; the plain builds judge warnings.
WARNINGS += $(if $(SANITIZE)$(COVERAGE),-Wno-error)
CFLAGS_ALL = $(BASE_FLAGS) $(CODE_FLAGS) $(WARNINGS) $(DEFINES) $(CFLAGS)
LDFLAGS_ALL = -pthread -Wl,--gc-sections -Wl,-z,relro,-z,now \
    -Wl,--build-id=sha1 -Wl,--as-needed $(LINK_MODE) $(LDFLAGS) \
    $(DEBIAN:%=-L%/lib/$(TRIPLET))

# Nothing in an object says in which folder it was built.
GEN_MAP := -ffile-prefix-map=$(GEN)=gen
# $(call quotes,dirs) and the include path of a module, a test, a program
quotes = $(patsubst %,-iquote %,$(patsubst %/,%,$1))
rooms = $1 $(wildcard $1/*/)
owned = $(patsubst %,-isystem $(TP)/include/%,$(OWNS_$1)) \
    $(patsubst %,$(GEN_MAP) -isystem $(GEN)/%, \
    $(wildcard $(call folder,$1)/proto))
module_paths = $(call quotes,$(call below,$(call number,$1)) \
    $(call rooms,$1)) $(call owned,$(notdir $1))
next = $(words $(wordlist 1,$1,$(DIGITS)) x)
unit_paths = $(call quotes,tests/unit $(wildcard tests/unit/$1/support) \
    $(call below,$(call next,$(call number,$(call folder,$1)))) \
    $(call rooms,$(call folder,$1))) $(call owned,$1) \
    $(patsubst %,-isystem $(TP)/include/%,$(TESTS_BY_$1))
# A simulation sees the layers up to 4 and no sockets' worth of roles; what
# fails may be a role's.
LAYERS_sim := 5
LAYERS_oom := 7
LAYERS_io := 7
suite_paths = $(call quotes,tests/unit $(wildcard tests/$1/support) \
    $(call below,$(LAYERS_$1)))
# Fuzzers and the programs of other suites see all public headers.
all_paths = $(call quotes,tests/unit tests/third_party/support \
    third_party/mbedtls/alt $(call below,9)) \
    $(patsubst %,-isystem $(TP)/include/%,$(TP_NAMES))

# Those that fuzz what lies inside of a module see its folder.
INSIDE_tests/fuzz/bridge.c := proxy
INSIDE_tests/fuzz/doctor.c := node
INSIDE_tests/fuzz/named.c := resolver

# $(call paths,file.c): the include path of any C file in the tree
parts = $(subst /, ,$1)
paths = $(strip $(if $(filter modules/%,$1), \
    $(call module_paths,$(subst $(space),/,$(wordlist 1,3,$(call parts,$1)))), \
    $(if $(call folder,$(word 3,$(call parts,$1))), \
    $(call unit_paths,$(word 3,$(call parts,$1))), \
    $(if $(filter tests/sim/% tests/oom/% tests/io/%,$1), \
    $(call suite_paths,$(word 2,$(call parts,$1))), \
    $(if $(INSIDE_$1),$(call unit_paths,$(INSIDE_$1)),$(all_paths))))))

# --- what everybody calls ----------------------------------------------------

.PHONY: all lib help
all: $(if $(wildcard main.c),$(O)/meshd $(O)/meshd.stripped,lib)
lib: $(call archive,$(call buildable,$(CHOSEN)))
help:
	@sed -n '3,/^MAKEFLAGS/{/^#/s/^# \{0,1\}//p}' Makefile

# --- objects and archives ----------------------------------------------------

# Changed flags rebuild everything; unchanged ones leave the file alone.
$(O)/flags: FORCE $(DEBIAN_STAMP)
	@mkdir -p $(@D)
	@new=$@.$$$$; printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS_ALL) $(GEN_MAP))' \
	    >$$new; cmp -s $$new $@ && rm $$new || mv $$new $@
.PHONY: FORCE
FORCE:

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(call paths,$<) -MMD -MP -c $< -o $@

define module_rules
$(O)/lib/$1.a: $(patsubst %.c,$(O)/obj/%.o,$(call sources,$1)) \
    $(patsubst %,$(O)/obj/%.pb-c.o,$(call protos,$1)) \
    $(patsubst %,$(O)/obj/%.table.o,$(call tables,$1))
$(patsubst %.c,$(O)/obj/%.o,$(call sources,$1)): \
    | $(patsubst %,$(GEN)/%.pb-c.h,$(call protos,$1))
$(patsubst %.c,$(O)/obj/%.o,$(call sources,$1)) \
    $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/unit/$1/*.c \
    tests/unit/$1/support/*.c)): \
    $(patsubst %,$(TP)/stamp/%,$(OWNS_$1) $(TESTS_BY_$1))
endef
$(foreach m,$(BUILDABLE),$(eval $(call module_rules,$m)))

# Code from a .proto is the compiler's, not ours: it may warn.
$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h &: %.proto
	@mkdir -p $(@D)
	@$(call say,PROTOC,$<)
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(@D) $<
$(O)/obj/%.pb-c.o: $(GEN)/%.pb-c.c $(O)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) -w $(GEN_MAP) -isystem $(dir $<) -MMD -MP -c $< -o $@

# A table is written anew when the system's Unicode database is; the
# installer's when one of the files is that it brings.
UNICODE := /usr/share/unicode
$(GEN)/%.table.c: private TABLE_OF = $(UNICODE)
INSTALLER := modules/7-face/admin/install/script
$(GEN)/$(INSTALLER).table.c: private TABLE_OF = packaging
$(GEN)/$(INSTALLER).table.c: packaging/install.sh packaging/account.sh \
    $(wildcard packaging/*.d/* packaging/systemd/*)
$(GEN)/%.table.c: %.py $(UNICODE)/UnicodeData.txt
	@mkdir -p $(@D)
	@$(call say,TABLE,$<)
	$(Q)$(PYTHON) $< $(TABLE_OF) >$@
$(O)/obj/%.table.o: $(GEN)/%.table.c $(O)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(GEN_MAP) $(call paths,$*.c) -MMD -MP -c $< -o $@

$(O)/lib/%.a:
	@mkdir -p $(@D)
	@$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# --- the program -------------------------------------------------------------

# $(call group,archives): they may need each other's symbols
group = -Wl,--start-group $1 $(TP_LIBS) -Wl,--end-group $(SYSTEM_LIBS)

# A sanitizer needs the dynamic loader. The static link goes through a script
# that knows which of glibc's warnings are harmless, and fails on any other.
STATIC := $(if $(SANITIZE)$(COVERAGE),-pie,-static-pie)
$(O)/meshd: $(O)/obj/main.o $(call archive,$(BUILDABLE)) $(TP_STAMPS) \
    tests/lint/static-link.sh tests/lint/static-warnings
	@$(call say,LINK,$@)
	$(Q)tests/lint/static-link.sh $(CC) $(LDFLAGS_ALL) $(STATIC) \
	    -Wl,-Map=$@.map -o $@ $< $(call group,$(call archive,$(BUILDABLE)))

SIZE_MAX := 10485760
$(O)/meshd.stripped: $(O)/meshd
	@$(call say,STRIP,$@)
	$(Q)$(STRIP) --remove-section=.comment -o $@ $<
	$(Q)$(if $(SANITIZE)$(COVERAGE),:,test $$(stat -c %s $@) -le $(SIZE_MAX) \
	    || { echo "$@ is larger than $(SIZE_MAX) bytes" >&2; exit 1; })

# The program is built again from nothing, in another folder.
AGAIN := $(O)/again
.PHONY: check-reproducible
check-reproducible: $(O)/meshd
	$(Q)rm -rf $(AGAIN)
	+@$(MAKE) --no-print-directory BUILD=$(AGAIN) all
	@cmp $(O)/meshd $$(find $(AGAIN) -name meshd -type f) \
	    && echo "reproducible: two builds, the same bytes"
	@mkdir -p $(O)/results && echo "reproducible 1 0" >$(O)/results/reproducible
	$(Q)rm -rf $(AGAIN)

# --- C tests: unit, sim, oom, io, fuzz ---------------------------------------

# $(call support,folder): objects that go into every program of the folder
support = $(patsubst %.c,$(O)/obj/%.o,$(wildcard $1/support/*.c))

# $(call test_rule,source,modules,helpers): source.c becomes O/source
define test_rule
$(O)/$(1:.c=): $(O)/obj/$(1:.c=.o) $3 \
    $(call archive,$(call buildable,$2)) $(TP_STAMPS)
	@mkdir -p $$(@D)
	@$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $$(LINKER) -pie -o $$@ $(O)/obj/$(1:.c=.o) $3 \
	    $$(call group,$(call archive,$(call buildable,$2))) -lcmocka
endef

# There are hundreds of them, which lld links in half the time.
LINKER := $(if $(shell command -v ld.lld),-fuse-ld=lld)
# They need not be fast themselves; to warn, gcc has to optimise a little.
$(O)/obj/tests/unit/%.o: private CODE_FLAGS += \
    $(if $(SANITIZE)$(COVERAGE),-O0,-O1)

# A test may join modules that are strangers: model's read YAML, node's join a
# server.
TEST_NEEDS_model := codec
TEST_NEEDS_node := server

UNIT_MAIN := $(patsubst %,$(O)/obj/tests/unit/%.o,unit nameserver)
unit_sources = $(wildcard tests/unit/$1/*.c)
$(foreach m,$(BUILDABLE),$(foreach s,$(call unit_sources,$m),$(eval \
    $(call test_rule,$s,$(call closure,$m) $(TEST_NEEDS_$m), \
    $(UNIT_MAIN) $(call support,tests/unit/$m)))))
UNIT_PROGRAMS := $(foreach m,$(if $(MODULES),$(MODULES),$(BUILDABLE)), \
    $(patsubst %.c,$(O)/%,$(filter $(TESTS:%=tests/unit/$m/%.c), \
    $(call unit_sources,$m))))

define suite_rules
$(foreach s,$(wildcard tests/$1/*.c),$(eval $(call test_rule,$s, \
    $(call modules_below,$(LAYERS_$1)),$(UNIT_MAIN) $(call support,tests/$1))))
.PHONY: check-$1 $1-programs
check-$1: $(patsubst %.c,$(O)/%,$(wildcard tests/$1/*.c))
	@tests/run.sh $(O)/results/$1 $$^
$1-programs: $(patsubst %.c,$(O)/%,$(wildcard tests/$1/*.c))
endef
$(foreach s,sim oom io,$(eval $(call suite_rules,$s)))

.PHONY: check-unit
check-unit: $(UNIT_PROGRAMS)
	@tests/run.sh $(O)/results/unit $^

FUZZERS := $(patsubst tests/fuzz/%.c,%, \
    $(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
FUZZ_CHOSEN := $(if $(FUZZ),$(FUZZ),$(FUZZERS))
REPLAY := $(O)/obj/tests/fuzz/replay.o
# One has a whole proxy between its ends, that of the proxy's own tests.
FUZZ_NEEDS_bridge := $(patsubst %,$(O)/obj/tests/unit/proxy/support/%.o,rig wire)
$(foreach f,$(FUZZERS),$(eval $(call test_rule,tests/fuzz/$f.c,$(CHOSEN), \
    $(FUZZ_NEEDS_$f) $(if $(filter fuzzer,$(SANITIZE)),,$(REPLAY)))))
# libFuzzer calls the entry by its name, so there is no header to declare it.
$(FUZZERS:%=$(O)/obj/tests/fuzz/%.o): private WARNINGS += \
    -Wno-missing-prototypes
ifeq ($(SANITIZE),fuzzer)
$(FUZZERS:%=$(O)/tests/fuzz/%): LINK_MODE := \
    -fsanitize=fuzzer,address,undefined
endif

.PHONY: fuzz-replay fuzz fuzz-programs
fuzz-replay: $(FUZZ_CHOSEN:%=$(O)/tests/fuzz/%)
	@tests/run.sh $(O)/results/fuzz $^
fuzz-programs: $(FUZZ_CHOSEN:%=$(O)/tests/fuzz/%)
fuzz:
	@$(MAKE) --no-print-directory CC=clang SANITIZE=fuzzer fuzz-programs
	@tests/fuzz/run.sh $(BUILD)/clang-fuzz/tests/fuzz $(FUZZ_SECONDS) \
	    $(FUZZ_CHOSEN)

# --- the libraries of third_party --------------------------------------------

.PHONY: third_party check-third
third_party: $(TP_STAMPS)
# The script compares contents, so a fresh clone's new times build nothing.
$(TP)/stamp/%: $(shell find third_party -type f 2>/dev/null)
	@THIRD_PARTY_ARCH=$(CROSS) third_party/build.sh $*
$(TP)/stamp/mbedtls-awslc: $(TP)/stamp/awslc

# The hooks are there only over AWS-LC.
THIRD := $(filter-out $(if $(filter mbedtls,$(CRYPTO)),%/curve.c %/gcm.c), \
    $(wildcard tests/third_party/*.c))
$(foreach s,$(THIRD),$(eval $(call test_rule,$s,, \
    $(UNIT_MAIN) $(call support,tests/third_party))))
$(THIRD:%.c=$(O)/obj/%.o) $(call support,tests/third_party): $(TP_STAMPS)
check-third: $(THIRD:%.c=$(O)/%)
	@tests/run.sh $(O)/results/third $^

.PHONY: check-mbedtls
check-mbedtls: $(TP_STAMPS)
	@third_party/suites.sh $(CRYPTO) $(BUILD)/suites/$(CRYPTO)
	@third_party/suites.sh default $(BUILD)/suites/default

# --- pytest ------------------------------------------------------------------

PYTEST_DIRS := $(wildcard tests/golden tests/e2e tests/interop)
GO_BIN := $(abspath $(BUILD))/peers/bin
H2SPEC ?= $(GO_BIN)/h2spec
GRPC_INTEROP ?= $(GO_BIN)
.PHONY: check-e2e
check-e2e: all $(O)/tests/bench/swarm $(H2SPEC) \
    $(GRPC_INTEROP)/grpc_client $(GRPC_INTEROP)/grpc_server
	@MESHD=$(abspath $(O)/meshd) MESHD_BUILD=$(abspath $(O)) \
	    H2SPEC=$(H2SPEC) GRPC_INTEROP=$(GRPC_INTEROP) \
	    tests/pytest.sh $(O)/results/e2e '$(PYTHON)' \
	    $(sort $(dir $(wildcard $(PYTEST_DIRS:%=%/test_*.py)))) $(PYTEST_ARGS)

ENVOY ?= $(abspath $(BUILD))/peers/envoy/envoy/_bin/envoy
.PHONY: interop
interop: all $(ENVOY)
	@MESHD=$(abspath $(O)/meshd) MESHD_BUILD=$(abspath $(O)) SKIPS=1 \
	    ENVOY=$(ENVOY) $(if $(PEERS),ZTUNNEL=$(PEERS)/bin/ztunnel) \
	    tests/pytest.sh $(O)/results/interop '$(PYTHON)' \
	    tests/peers -r s $(PYTEST_ARGS)

# The release that bench takes.
$(abspath $(BUILD))/peers/envoy/envoy/_bin/envoy:
	@mkdir -p $(BUILD)/peers
	-$(Q)cd tests/bench && $(PYTHON) -c 'import peers, sys; \
	    peers.find_envoy(sys.argv[1])' $(abspath $(BUILD))

# A program of tests/interop/$2 in Go. Where it cannot be had, the tests that
# run it fail with the reason.
define go_peer
$(GO_BIN)/$1: $(wildcard tests/interop/$2/go.*)
	@mkdir -p $$(@D)
	@$$(call say,GO,$1)
	$$(Q)cd tests/interop/$2 && go build -o $$@ $3 >$$@.log 2>&1 \
	    || echo "$1: $$$$(tail -n 1 $$@.log)"
endef
$(eval $(call go_peer,h2spec,h2spec,github.com/summerwind/h2spec/cmd/h2spec))
$(eval $(call go_peer,grpc_client,grpc,google.golang.org/grpc/interop/client))
$(eval $(call go_peer,grpc_server,grpc,google.golang.org/grpc/interop/server))
$(eval $(call go_peer,grpc_bench_client,grpc,google.golang.org/grpc/benchmark/client))
$(eval $(call go_peer,grpc_bench_server,grpc,google.golang.org/grpc/benchmark/server))

# --- conformance -------------------------------------------------------------

CORPUS ?=
.PHONY: conformance check-conformance
conformance check-conformance: all
	$(if $(CORPUS),,$(error conformance needs CORPUS=folder))
	@MESHD=$(abspath $(O)/meshd) $(PYTHON) tests/conformance/run.py \
	    '$(CORPUS)' --result $(O)/results/conformance

# The version whose verdicts the recorded ones are.
ISTIOCTL_VERSION := v0.0.0-20260827124520-eed52ebb66ad
ISTIOCTL ?= $(abspath $(BUILD))/peers/bin/istioctl
PEER_ARGS ?=
.PHONY: conformance-peer
conformance-peer: all $(ISTIOCTL)
	@MESHD=$(abspath $(O)/meshd) $(PYTHON) tests/conformance/peer.py \
	    '$(ISTIOCTL)' $(PEER_ARGS)
$(abspath $(BUILD))/peers/bin/istioctl:
	@$(call say,GO,istioctl)
	$(Q)GOBIN=$(@D) go install \
	    istio.io/istio/istioctl/cmd/istioctl@$(ISTIOCTL_VERSION)

# --- all of it ---------------------------------------------------------------

# Each suite runs even if one before it failed; the summary decides.
.PHONY: check check-asan check-tsan check-suites
check:
	+@tests/check.sh '$(O)' '$(MAKE)' third sim unit oom io fuzz e2e \
	    $(if $(CORPUS),conformance) reproducible asan tsan
check-suites:
	+@tests/check.sh '$(O)' '$(MAKE)' sim unit oom io fuzz e2e
check-asan:
	+@$(MAKE) --no-print-directory SANITIZE=address,undefined check-suites
check-tsan:
	+@$(MAKE) --no-print-directory SANITIZE=thread check-suites

# --- lint, format, coverage, man ---------------------------------------------

# Those that git knows, or would if they were added.
OUR_FILES = $(wildcard $(shell git ls-files --cached --others \
    --exclude-standard))
OUR_C = $(filter %.c %.h,$(OUR_FILES))
.PHONY: lint format coverage man
lint:
	+@tests/lint/run.sh '$(O)/results/lint' '$(MAKE)'

# The parts of lint, each a line of its summary.
.PHONY: lint-style lint-layers lint-format lint-shell lint-tidy \
    lint-analyzer lint-deep
lint-deep: lint-tidy lint-analyzer
lint-style:
	@$(PYTHON) tests/lint/style.py $(sort $(OUR_FILES))
# $(call includes,takes|refuses,file,headers), of which net is the example
includes = tests/lint/layers.sh $1 \
    '$(CC) $(BASE_FLAGS) $(DEFINES) $(call paths,$2)' $3
lint-layers: $(TP_STAMPS)
	@$(call includes,takes,modules/2-io/net/x.c, \
	    '"base/base.h"' '"loop/loop.h"' '"net.h"' '"socket.h"')
	@$(call includes,refuses,modules/2-io/net/x.c, \
	    '"store/store.h"' '"tls/tls.h"' '"http/http.h"' '"wheel.h"' \
	    '<mbedtls/ssl.h>' '<llhttp.h>' '<openssl/aead.h>' '"unit.h"')
	@$(call includes,takes,modules/3-peer/tls/x.c,'<mbedtls/ssl.h>')
	@$(call includes,refuses,modules/0-base/base/x.c,'"loop/loop.h"')
	@$(call includes,takes,tests/unit/net/x.c,'"socket.h"' '"unit.h"')
	@$(call includes,refuses,tests/unit/net/x.c, \
	    '"wheel.h"' '"tls/tls.h"')
	@tests/lint/owners.sh
lint-format:
	@clang-format --dry-run -Werror $(sort $(OUR_C))
lint-shell:
	@shellcheck -x $$(grep -lE '^#!/bin/(ba)?sh' $(OUR_FILES))

# An object is newer than all that its source includes, so what was found
# clean stays so until one of them changes.
LINT_C := $(wildcard main.c) $(foreach m,$(BUILDABLE),$(call sources,$m))
# How far clang's analyzer walks into one function; its own default, 225000,
# takes six times as long.
TIDY_NODES ?= 20000
lint-tidy: $(LINT_C:%.c=$(O)/lint/%.tidy)
lint-analyzer: $(LINT_C:%.c=$(O)/lint/%.analyzer)
$(O)/lint/%.tidy: %.c $(O)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' \
	    $(patsubst %,--extra-arg=%,-Xclang -analyzer-config \
	    -Xclang max-nodes=$(TIDY_NODES)) $< -- $(BASE_FLAGS) \
	    $(DEFINES) $(call paths,$<) >$@.log 2>/dev/null \
	    || { cat $@.log; exit 1; }
	@touch $@
$(O)/lint/%.analyzer: %.c $(O)/obj/%.o tests/lint/analyzer.sh \
    tests/lint/analyzer-known
	@mkdir -p $(@D)
	@$(call say,ANALYZE,$<)
	$(Q)tests/lint/analyzer.sh gcc $(BASE_FLAGS) $(DEFINES) \
	    $(call paths,$<) -O1 -c $< -o /dev/null
	@touch $@
format:
	$(Q)clang-format -i $(OUR_C)
coverage:
	@$(MAKE) --no-print-directory COVERAGE=1 check-unit \
	    $(if $(MODULES),,check-sim fuzz-replay)
	gcovr --root . --object-directory $(BUILD)/coverage \
	    --filter modules/ --print-summary --txt $(BUILD)/coverage.txt
man: $(O)/meshd
	@$(PYTHON) man/resources.py $(O)/meshd --check
	@for page in $(wildcard man/*.[1-9]); do \
	    mandoc -T lint -W warning $$page || exit 1; done
	@$(PYTHON) tests/lint/agreement.py $(O)/meshd

.PHONY: man-resources
man-resources: $(O)/meshd
	$(Q)$(PYTHON) man/resources.py $(O)/meshd >$(O)/meshd-resources.5
	$(Q)mv $(O)/meshd-resources.5 man/

# --- bench, demo, install, clean ---------------------------------------------

.PHONY: bench bench-config soak crash demo install clean
# The peer's half is loaded: OpenSSL's names are also those of AWS-LC.
HANDSHAKES := $(O)/tests/bench/handshakes $(O)/tests/bench/other_tls.so
$(eval $(call test_rule,tests/bench/handshakes.c,$(call closure,tls),))
$(O)/tests/bench/other_tls.so: tests/bench/other_tls.c \
    tests/bench/other_tls.h $(O)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(filter-out -fPIE,$(CFLAGS_ALL)) -fPIC -shared -o $@ $< \
	    -lssl -lcrypto
LOADS := $(O)/tests/bench/asks $(O)/tests/bench/calls
$(eval $(call test_rule,tests/bench/asks.c,$(call closure,dns),))
$(eval $(call test_rule,tests/bench/calls.c,base,))
$(eval $(call test_rule,tests/bench/regex.c,base,))
$(eval $(call test_rule,tests/bench/compile.c,$(call closure,model codec),))
SWARM := $(O)/tests/bench/swarm
$(eval $(call test_rule,tests/bench/swarm.c,$(call closure,node),))
$(eval $(call test_rule,tests/bench/agent.c,$(call closure,node),))
$(eval $(call test_rule,tests/bench/routes.c,$(call closure,model) codec,))
GRPC_BENCH ?= $(GO_BIN)
BENCH = $(Q)MESHD=$(abspath $(O)/meshd) MESHD_BUILD=$(abspath $(BUILD)) \
    GRPC_BENCH=$(GRPC_BENCH) $(PYTHON) tests/bench/bench.py
bench: all $(HANDSHAKES) $(LOADS) $(GRPC_BENCH)/grpc_bench_client \
    $(GRPC_BENCH)/grpc_bench_server
	$(BENCH) traffic $(BENCH_ARGS)
# Without istioctl there are our own figures.
bench-config: all $(O)/tests/bench/regex $(O)/tests/bench/compile \
    $(O)/tests/bench/routes $(O)/tests/bench/agent $(SWARM)
	$(if $(CORPUS),-@$(MAKE) -s $(ISTIOCTL))
	$(BENCH) configuration $(if $(CORPUS),--corpus '$(CORPUS)' \
	    --istioctl '$(ISTIOCTL)') $(BENCH_ARGS)
soak: all
	$(Q)MESHD=$(abspath $(O)/meshd) tests/worker.sh \
	    $(PYTHON) tests/e2e/soak.py --seconds $(SOAK_SECONDS)
crash: all
	$(Q)MESHD=$(abspath $(O)/meshd) tests/worker.sh \
	    $(PYTHON) tests/e2e/crash.py --kills $(KILLS) $(if $(SEED),--seed $(SEED))
demo: all
	$(Q)MESHD=$(abspath $(O)/meshd) demo/run $(DEMO_ARGS)
# What the linker took, as the map beside the program says.
SBOM := $(O)/sbom/meshd.spdx.json
$(SBOM): $(O)/meshd.stripped packaging/sbom.py third_party/manifest
	@$(call say,SBOM,$@)
	$(Q)$(PYTHON) packaging/sbom.py $(O)/meshd $(VERSION) $(ARCH) $(TP) \
	    $(O)/sbom
# $(call lay,mode,file,place)
lay = install -D -m $1 $2 $(DESTDIR)$(PREFIX)/$3
install: $(O)/meshd.stripped $(SBOM)
	$(call lay,755,$(O)/meshd.stripped,bin/meshd)
	$(Q)$(foreach p,$(wildcard man/*.[1-9]),$(call lay,644,$p,$(strip \
	    share/man/man$(subst .,,$(suffix $p))/$(notdir $p))) &&) :
	$(Q)$(foreach d,sysusers.d tmpfiles.d,$(call \
	    lay,644,packaging/$d/meshd.conf,lib/$d/meshd.conf) &&) :
	$(Q)$(foreach u,$(notdir $(wildcard packaging/systemd/*.service)), \
	    $(call lay,644,packaging/systemd/$u,lib/systemd/system/$u) && \
	    sed -i 's|=/usr/bin/|=$(PREFIX)/bin/|' \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/$u &&) :
	$(call lay,644,packaging/systemd/meshd-capture.conf,share/meshd/meshd-capture.conf)
	$(Q)$(foreach f,$(wildcard config/*.conf config/examples/*),$(call \
	    lay,644,$f,share/doc/meshd/examples/$(notdir $f)) &&) :
	$(Q)$(foreach f,CHANGELOG.md LICENSE,$(call \
	    lay,644,$f,share/doc/meshd/$f) &&) :
	$(Q)for f in $(O)/sbom/licenses/*; do $(call \
	    lay,644,$$f,share/doc/meshd/licenses/$$(basename $$f)); done
	$(call lay,644,$(SBOM),share/doc/meshd/meshd.spdx.json)
	$(Q)$(foreach c,$(COMPLETIONS),$(EMULATOR) $(O)/meshd.stripped completion \
	    $(firstword $(subst :, ,$c)) >$(O)/completion && $(call \
	    lay,644,$(O)/completion,share/$(lastword $(subst :, ,$c))) &&) :
# shell:place
COMPLETIONS := bash:bash-completion/completions/meshd \
    zsh:zsh/site-functions/_meshd fish:fish/vendor_completions.d/meshd.fish

# What is packed is what install lays out, each kind in a tree of its own.
PACKAGES := $(abspath $(O))/packages
PREFIX_tarball := /usr/local
.PHONY: tarball deb rpm
tarball deb rpm: $(O)/meshd.stripped $(SBOM)
	$(Q)rm -rf $(PACKAGES)/$@ && mkdir -p $(PACKAGES)/$@
	$(Q)$(MAKE) -s install DESTDIR=$(PACKAGES)/$@ \
	    PREFIX=$(or $(PREFIX_$@),/usr) >/dev/null
	$(Q)ARCH=$(ARCH) packaging/$@.sh $(VERSION) $(PACKAGES)/$@ $(PACKAGES)
	$(Q)rm -rf $(PACKAGES)/$@

.PHONY: provenance
provenance: tarball deb rpm
	$(Q)$(PYTHON) packaging/provenance.py $(VERSION) $(ARCH) $(SBOM) $(PACKAGES)
	$(Q)cd $(PACKAGES) && rm -f SHA256SUMS && sha256sum * >SHA256SUMS.new \
	    && mv SHA256SUMS.new SHA256SUMS

# Of the packages that are there, of either machine.
REPO ?= $(abspath $(BUILD))/repo
.PHONY: repo
repo: deb rpm
	$(Q)packaging/repo.sh $(REPO) $(wildcard $(sort \
	    $(PACKAGES) $(abspath $(BUILD))/packages \
	    $(abspath $(BUILD))/arm64/packages))

# A root is made by debootstrap, once; ROOT may be one that is there already.
ROOT ?= $(abspath $(BUILD))/roots/debian
# Who else reads what sbom.py writes.
SPDX := $(abspath $(BUILD))/tools/spdx/bin/pyspdxtools
$(SPDX):
	$(Q)$(PYTHON) -m venv $(abspath $(BUILD))/tools/spdx
	$(Q)$(@D)/pip install -q spdx-tools==0.8.5
.PHONY: check-packages
check-packages: provenance $(SPDX)
	@SPDX=$(SPDX) PACKAGES=$(PACKAGES) VERSION=$(VERSION) ROOT=$(ROOT) SKIPS=1 WORKERS=1 \
	    tests/pytest.sh $(O)/results/packages '$(PYTHON)' \
	    tests/packaging -r s $(PYTEST_ARGS)

# Their disk is kept beside their root, and made anew when that is newer.
VM_ROOT = $(if $(filter file,$(origin ROOT)),$(abspath $(BUILD))/roots/vm,$(ROOT))
.PHONY: check-vm
check-vm: deb
	@MESHD=$(abspath $(O)/meshd.stripped) KEPT=$(abspath $(BUILD))/vm \
	    TOLD=$(abspath $(O))/results/vm-told VERSION=$(VERSION) ROOT=$(VM_ROOT) \
	    DEB=$(PACKAGES)/meshd_$(VERSION)_$(ARCH).deb WORKERS=1 \
	    tests/pytest.sh $(O)/results/vm '$(PYTHON)' tests/vm -x $(PYTEST_ARGS)

clean:
	$(Q)for d in $(BUILD)/*; do \
	    test "$$d" = build/third_party || rm -rf "$$d"; done

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
