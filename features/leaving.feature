Feature: Leaving
  Who leaves is left in peace: nothing is sent any more, not even what was planned already.

  Background:
    Given Ada was born on 14 March 1990 and lives in Jakarta

  Rule: Who has left gets nothing

    Scenario: Leaving on the evening before
      Given it is 20:00 on 13 March 2027 in Jakarta
      When Ada leaves
      Then Ada gets no message that day
      And Ada's birthday message of 14 March 2027 is cancelled because the person has left

    Scenario: Leaving a minute before nine
      Given it is 08:59 on 14 March 2027 in Jakarta
      When Ada leaves
      Then Ada gets no message that day

    Scenario: Leaving while the first attempt has failed
      Given nobody can be reached
      And it is 09:01 on 14 March 2027 in Jakarta
      When Ada leaves
      And everybody can be reached again
      Then Ada gets no message that day

    Scenario: Others are not concerned
      Given Grace was born on 14 March 1985 and lives in Jakarta
      And it is 20:00 on 13 March 2027 in Jakarta
      When Ada leaves
      Then Grace gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

  Rule: Who asks to be forgotten is forgotten

    Scenario: Nothing is kept
      Given it is 20:00 on 13 March 2027 in Jakarta
      When Ada asks to be forgotten
      Then nothing is known of Ada
      And Ada gets no message that day

  Rule: Who returns is the same person

    Scenario: Returning before nine
      Given it is 20:00 on 13 March 2027 in Jakarta
      And Ada has left
      When Ada registers again
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

    Scenario: Returning after nine
      Given it is 20:00 on 13 March 2027 in Jakarta
      And Ada has left
      And it is 10:00 on 14 March 2027 in Jakarta
      When Ada registers again
      Then Ada gets no message that day

    Scenario: Leaving and returning after the greeting brings no second one
      Given it is 09:30 on 14 March 2027 in Jakarta
      And Ada has left
      When Ada registers again, now from New York
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta
