# Targets for people and for .ci/run. Everything else is the go command.

GO ?= go
# Part of every build that is handed out.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# Histories of the simulation, and the first seed. CI takes other ones with each commit: they begin at its time, so that a run can be repeated.
ifeq ($(CI),true)
N ?= 10000
FROM ?= $(shell git log -1 --format=%ct)0000
else
N ?= 2000
FROM ?= 1
endif
# Time of each fuzz target.
FUZZTIME ?= 3s
BENCH ?= .
# Pinned here and not in go.mod, so that a linter's dependencies are not the program's.
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOSEC = $(GO) run github.com/securego/gosec/v2/cmd/gosec@v2.30.0
# A server that only tests start, on the loopback interface.
STANDINS = -exclude-dir=githubtest
PURE = ./reconciler/command ./reconciler/credential ./reconciler/diff ./reconciler/files ./reconciler/merge ./reconciler/plan ./reconciler/report ./reconciler/rules ./vendors/resource

.PHONY: build play test deps lint unit cover fuzz simulate mutants reverts e2e bench clean chaos vulncheck

build: ## a static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/driftback ./cmd/driftback

play: build ## a repository and a directory to try it on, in play/
	rm -rf play && cp -r testdata/quickstart play
	bin/driftback schema >play/driftback.schema.json
	git init -q --bare -b main play/config.git
	git clone -q play/config.git play/clone 2>/dev/null
	echo "Configuration of our platforms." >play/clone/README.md
	git -C play/clone add README.md
	git -C play/clone -c user.name=You -c user.email=you@example.org commit -q -m "First commit"
	git -C play/clone push -q origin HEAD:main
	@echo "play/live is the live system, play/config.git the repository, play/clone your clone of it"

test: ## everything that must hold before a change is merged
	@mkdir -p bin && : >bin/ran && : >bin/left
	@$(MAKE) --no-print-directory deps lint cover
ifeq ($(CI),true)
	@$(MAKE) --no-print-directory fuzz
else
	@echo "fuzzing: make fuzz" >>bin/left
endif
	@$(MAKE) --no-print-directory simulate unit
	@echo; echo "ran:"; sed 's/^/  /' bin/ran
	@echo "skipped:"; cat bin/left bin/skipped | sed 's/^/  /' | grep . || echo "  nothing"
	@echo "excused from a driver's suite, with how many cases:"; sed 's/^/  /' bin/excused | grep . || echo "  nothing"
	@grep -E '^ok ' bin/test.log | tail -n 1

deps:
	@.ci/deps

lint:
	@test -z "$$(gofmt -l cmd gitstore metrics reconciler vendors | tee /dev/stderr)"
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GOSEC) -quiet $(STANDINS) ./...
	@# gosec takes vendors/ for vendored code unless each package is named
	$(GOSEC) -quiet $$($(GO) list -f '{{.Dir}}' ./vendors/...)
	@mkdir -p bin && echo "gofmt, go vet, staticcheck, gosec" >>bin/ran

vulncheck: ## known vulnerabilities of what is linked; needs the network
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

cover: ## at least 90 % of the statements of the pure packages
	@.ci/cover $(PURE)
	@mkdir -p bin && echo "coverage of the pure packages: at least 90 %" >>bin/ran

fuzz: ## each fuzz target for FUZZTIME
	@mkdir -p bin
	@.ci/fuzz $(FUZZTIME)
	@echo "fuzzing: every target for $(FUZZTIME)" >>bin/ran

unit:
	@.ci/gotest -race -shuffle=on -timeout 30m ./...
	@echo "go test -race -shuffle=on ./... ($$(grep -cE '^ok ' bin/test.log) packages, $$(grep -cE '^--- PASS' bin/test.log) tests)" >>bin/ran

e2e: ## the stories on real servers: git over HTTP and Prometheus
	@.ci/deps
	$(GO) test -count=1 -run '^TestE2E' -v ./cmd/driftback

chaos: ## the real daemon killed 100 times, a faulty network, a clock that jumps, and two daemons stopped at random for five minutes
	@.ci/deps
	$(GO) test -count=1 -timeout 60m -run '^TestChaos' -v ./cmd/driftback -kills=100 -episodes=40 -pair=5m -jumps=12

simulate: ## N random histories of people, faults and daemons, from seed FROM, and a fifth as many of the loop alone; a failing seed is printed and reproduces
	$(GO) test -count=1 -timeout 60m -v -run "TestHistories|TestTapes" ./reconciler/simulation/loop -histories=$$(($(N) / 5)) -from=$(FROM)
	$(GO) test -count=1 -timeout 180m -v -run "TestHistories|TestTapes|TestDeterminism" ./reconciler/simulation -histories=$(N) -from=$(FROM) -equal=500
	@mkdir -p bin && echo "simulation: $(N) histories from seed $(FROM), and a fifth as many of the loop alone; 500 seeds told twice; every tape" >>bin/ran

mutants: ## the program broken on purpose, one line at a time, and what catches it; half an hour and more
	.ci/mutants

reverts: ## reverts in a thousand random histories, against native git revert
	$(GO) test -count=1 -timeout 10m -run '^TestRevertIsThatOfGit$$' -v ./gitstore -reverts 1000

bench: ## what things cost, with native git and the plain way beside ours in one run
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...

clean:
	rm -rf bin play
