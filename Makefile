# Two commands do everything on a fresh machine: make run (needs Go) and
# make test (needs Go, Node 20 or later, Python 3.11 or later, and Chromium).

BOTS   := $(patsubst functions/%/main.go,%,$(wildcard functions/*/main.go))
GOARCH ?= arm64
DIST   ?= dist
tool   := go tool -modfile=integration/tools/go.mod
venv   := integration/moto/.venv
oracle := integration/twittertext
deploy := integration/deploy
osls   := $(deploy)/node_modules/.bin/osls
page   := integration/page
peers  := integration/bench/peers
STAGE  ?= dev
PARAMS ?=

# GOARCH is that of the functions, not of the tools that run here.
unexport GOARCH

.PHONY: run test unit build bench simulate fuzz lint vuln package deploy remove setup clean

run:
	@mkdir -p .local
	@go build -o .local/superbots ./cmd/superbots
	@exec .local/superbots dev

# The simulation runs a tenth of its histories under the race detector, and
# allocations are counted without it.
test: setup lint
	go test ./integration/simulation ./integration/guard
	go test -race ./...

unit:
	go test ./functions/... ./pkg/... ./cmd/...

setup: $(venv)/.installed $(oracle)/node_modules/.installed $(deploy)/node_modules/.installed $(page)/node_modules/.installed
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { echo "make test needs Chromium: apt-get install chromium"; exit 1; }

$(venv)/.installed: integration/moto/requirements.txt
	@command -v python3 >/dev/null || { echo "make test needs Python 3.11 or later: apt-get install python3 python3-venv, or https://www.python.org/downloads/"; exit 1; }
	python3 -m venv $(venv)
	$(venv)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@command -v npm >/dev/null || { echo "this needs Node 20 or later with npm: apt-get install nodejs npm, or https://nodejs.org/"; exit 1; }
	npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $*
	@touch $@

# The bytes of a zip depend on the sources alone: no paths, no times, no revision.
build: $(BOTS:%=$(DIST)/%.zip)

.PHONY: $(BOTS:%=$(DIST)/%.zip)
$(BOTS:%=$(DIST)/%.zip): $(DIST)/%.zip:
	GOOS=linux GOARCH=$(GOARCH) CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags '-s -w -buildid=' -o $(DIST)/$*/bootstrap ./functions/$*
	@$(tool) build-lambda-zip -o $@ $(DIST)/$*/bootstrap
	@ls -l $@

# What a stage is deployed with, and PARAMS over it: PARAMS='--param alarmEmail=me@example.com'.
package: build $(deploy)/node_modules/.installed
	$(osls) package --stage $(STAGE) $(PARAMS)
	node $(deploy)/check.mjs .serverless $(PARAMS)

deploy: package
	$(osls) deploy --package .serverless --stage $(STAGE) $(PARAMS)

remove: $(deploy)/node_modules/.installed
	$(osls) remove --stage $(STAGE) $(PARAMS)

# Known vulnerabilities that the code can reach. The database is on the network.
vuln:
	@$(tool) govulncheck ./... || { \
		code=$$?; \
		if [ $$code -ne 3 ]; then echo "govulncheck could not ask its database, so nothing was looked up"; [ -n "$$CI" ] || exit 0; fi; \
		exit $$code; \
	}

# What a run costs, beside what people use instead: writes docs/performance.md.
# A peer or a stand-in that is not there is left out, and the page says so.
bench:
	-@$(MAKE) -s setup
	sh $(peers)/install.sh
	cd integration/bench && go run .

SEEDS ?= 1000000
simulate:
	go test ./integration/simulation -run Simulation -seeds $(SEEDS) -v -timeout 0

fuzz:
	@for p in $$(go list ./pkg/...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime 30s $$p || exit 1; \
		done; \
	done

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	$(tool) staticcheck ./...
	cd integration/bench && go vet ./...

clean:
	rm -rf .local .serverless dist $(venv) $(oracle)/node_modules $(deploy)/node_modules $(page)/node_modules $(peers)/*/dist $(peers)/*/node_modules $(peers)/*/.venv
