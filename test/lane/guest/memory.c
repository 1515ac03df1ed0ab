/* Holds MIB of memory whose every word it can tell by computing, and rewrites some pages all the time.
 *
 *   memory MIB        writes "TICKS CHECKS BAD" to /state ten times a second; SIGUSR1 makes it check all words
 *
 * TICKS counts the rounds of rewriting, CHECKS the checks so far, BAD the words that the last check found wrong. The
 * content of a page depends on how often it was rewritten; that follows from TICKS, so that a page that a restore takes
 * from an older image is wrong in every word. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / sizeof(uint64_t), REWRITTEN = 8 };

static volatile sig_atomic_t wanted;

static void want(int number) {
  (void)number;
  wanted = 1;
}

/* splitmix64's finalizer: every bit of the result depends on every bit of `x`. */
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/* A page gets `version` 0 at the start; rounds go through the pages in order, REWRITTEN at a time. */
static uint64_t version_after(uint64_t ticks, uint64_t page, uint64_t pages) {
  uint64_t rewritten = ticks * REWRITTEN;
  return rewritten / pages + (page < rewritten % pages);
}

static uint64_t word(uint64_t seed, uint64_t page, uint64_t version, uint64_t i) {
  return mix(seed + page * 0x9e3779b97f4a7c15ULL + version * 0xd1342543de82ef95ULL + i);
}

static void fill(uint64_t *memory, uint64_t seed, uint64_t page, uint64_t version) {
  for (uint64_t i = 0; i < WORDS; i++) memory[page * WORDS + i] = word(seed, page, version, i);
}

static uint64_t count_bad(const uint64_t *memory, uint64_t seed, uint64_t ticks, uint64_t pages) {
  uint64_t bad = 0;
  for (uint64_t page = 0; page < pages; page++) {
    uint64_t version = version_after(ticks, page, pages);
    for (uint64_t i = 0; i < WORDS; i++) bad += memory[page * WORDS + i] != word(seed, page, version, i);
  }
  return bad;
}

static void report(uint64_t ticks, uint64_t checks, uint64_t bad) {
  char text[80];
  int length = snprintf(text, sizeof text, "%lu %lu %lu\n", ticks, checks, bad);
  int file = open("/state.new", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || write(file, text, length) != length || close(file) != 0) exit(3);
  if (rename("/state.new", "/state") != 0) exit(3);
}

int main(int count, char **arguments) {
  uint64_t pages = (count > 1 ? strtoul(arguments[1], NULL, 10) : 32) * 256;
  uint64_t seed = 0, ticks = 0, checks = 0, bad = 0;
  int random = open("/dev/urandom", O_RDONLY);
  if (pages == 0 || random < 0 || read(random, &seed, sizeof seed) != sizeof seed) return 2;
  close(random);
  uint64_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  struct sigaction action = {.sa_handler = want};
  sigaction(SIGUSR1, &action, NULL);
  for (uint64_t page = 0; page < pages; page++) fill(memory, seed, page, 0);
  for (;;) {
    for (uint64_t i = 0; i < REWRITTEN; i++) {
      uint64_t page = (ticks * REWRITTEN + i) % pages;
      fill(memory, seed, page, version_after(ticks + 1, page, pages));
    }
    ticks++;
    if (wanted) {
      wanted = 0;
      bad = count_bad(memory, seed, ticks, pages);
      checks++;
    }
    report(ticks, checks, bad);
    struct timespec pause = {.tv_nsec = 100000000};
    nanosleep(&pause, NULL);
  }
}
