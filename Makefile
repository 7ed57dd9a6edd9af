# Every task a person does. `make help` lists them.
SHELL := /bin/sh
.DELETE_ON_ERROR:

CONFIGURATION ?= Release
CASES         ?= 1000000
IMAGE         ?= localhost/nodemesh:0.1.0
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1

# All from Debian 12 itself; clang-19 links the Native AOT binary and compiles BPF.
PACKAGES := build-essential clang-19 llvm-19 lld-19 clang-format-19 libbpf-dev libelf-dev zlib1g-dev linux-libc-dev bpftool \
	iproute2 procps util-linux nginx-light wrk haproxy curl openssl libssl3 netcat-openbsd iputils-ping socat iptables python3

DOTNET := dotnet
QUIET  := -v q --nologo -clp:NoSummary
TESTS  := $(sort $(dir $(wildcard tests/*/*.Tests.csproj)))
CS     := agent native tests

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: setup
setup: ## Install what a fresh Debian 12 lacks (root), mount bpffs
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${db:Status-Status}' $$p 2> /dev/null | grep -q '^installed$$' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "installing:" $$missing; \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; \
	fi
	@grep -q ' /sys/fs/bpf bpf ' /proc/mounts || mount -t bpf bpf /sys/fs/bpf
	@grep -q ' cgroup2 ' /proc/mounts || { mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified; }

.PHONY: bpf native
bpf: ## Compile the BPF objects
	@$(MAKE) --no-print-directory -C bpf

native: ## Compile the C shim
	@$(MAKE) --no-print-directory -C native

.PHONY: build
build: bpf native ## Build everything; the agent is out/agent/nodemesh
	@$(DOTNET) build NodeMesh.sln -c $(CONFIGURATION) $(QUIET)
	@$(DOTNET) publish agent/NodeMesh.Agent -c $(CONFIGURATION) -r linux-x64 -o out/agent $(QUIET)

.PHONY: abi
abi: bpf ## Write the C# side of the kernel tables and its docs from the objects' BTF
	@$(DOTNET) run --project native/NodeMesh.AbiGen -c $(CONFIGURATION) -- --write

.PHONY: lint
lint: ## Format and generated files, without changing them
	@find bpf native -name '*.[ch]' | xargs clang-format-19 --dry-run -Werror
	@$(DOTNET) format whitespace NodeMesh.sln --verify-no-changes --no-restore --exclude '**/*.g.cs'

.PHONY: format
format: ## Format every file
	@find bpf native -name '*.[ch]' | xargs clang-format-19 -i
	@$(DOTNET) format whitespace NodeMesh.sln --no-restore --exclude '**/*.g.cs'

.PHONY: check
check: bpf native ## Before each commit: generated files, format, unit tests
	@$(DOTNET) run --project native/NodeMesh.AbiGen -c $(CONFIGURATION) -- --check
	@$(MAKE) --no-print-directory lint
	@$(DOTNET) test tests/NodeMesh.Unit.Tests -c $(CONFIGURATION) $(QUIET)

.PHONY: image
image: ## Build the container image from source (docker or buildah); IMAGE= names it
	@deploy/image/build $(IMAGE)

.PHONY: image-host
image-host: build ## The same from the binary that this machine builds (buildah): asks no registry
	@deploy/image/build $(IMAGE) host

.PHONY: manifests-check
manifests-check: bpf native ## Check deploy/ without a cluster: kinds, references, options, roles; as kubectl renders it where that is
	@if command -v kubectl > /dev/null; then for k in deploy deploy/cleanup; do kubectl kustomize $$k > /dev/null || exit 1; done; fi
	@$(DOTNET) test tests/NodeMesh.Unit.Tests -c $(CONFIGURATION) $(QUIET) --filter 'FullyQualifiedName~NodeMesh.Unit.Tests.Deploy|FullyQualifiedName~CrdTests|FullyQualifiedName~DocsTests'

.PHONY: test
test: setup build ## Set up, build, run every test (root)
	@tests/run $(CONFIGURATION) $(TESTS)

.PHONY: test-apiserver
test-apiserver: ## The API server's tests against a real one: KUBE_APISERVER= and ETCD= say which programs
	@tests/NodeMesh.ApiServer.Tests/run $(CONFIGURATION)

.PHONY: test-kernels
test-kernels: setup build ## The BPF tests, and an agent, on Debian's own 6.1 kernel in an emulated machine (root)
	@tests/kernels/run $(CONFIGURATION) '$(FILTER)'

.PHONY: soak
soak: setup build ## The kernel's judgement of a million random connections against the reference model (root); SEED= goes on from there
	@NODEMESH_CASES=$(CASES) $(if $(SEED),NODEMESH_SEED=$(SEED)) $(DOTNET) test tests/NodeMesh.Bpf.Tests -c $(CONFIGURATION) --no-build --nologo \
		--filter 'FullyQualifiedName~ReferenceModelTests' --logger 'console;verbosity=normal'

.PHONY: demo
demo: setup build ## The main job on real traffic, explained as it happens (root)
	@$(DOTNET) run --project tests/demo -c $(CONFIGURATION) --no-build

.PHONY: bench
bench: setup build ## Ratios against peers in the same run (root)
	@$(DOTNET) run --project tests/bench -c $(CONFIGURATION) --no-build -- $(BENCH)

.PHONY: cleanup
cleanup: ## Take NodeMesh and what its tests left off this machine (root)
	@if [ -x out/agent/nodemesh ]; then out/agent/nodemesh cleanup; fi
	@for ns in $$(ip netns list | cut -d' ' -f1 | grep -E '^nm(box|dp)'); do ip netns del $$ns; done
	@rm -rf /sys/fs/bpf/nmbox* /sys/fs/bpf/nmdp*
	@find /sys/fs/cgroup -maxdepth 2 -depth -type d \( -name 'nmbox*' -o -name 'nmdp*' \) -exec rmdir {} +

.PHONY: clean
clean: ## Remove what builds made
	@rm -rf out
	@find $(CS) -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
