Feature: Born on 29 February
  Whoever was born on 29 February has a birthday in every year. On which day it is kept when there is no
  29 February is a matter of custom, so it can be chosen: for everybody, and by each person.

  Rule: Unless told otherwise it is kept on 28 February
    It then falls into the month of birth, and never after the birthday.

    Scenario: In a common year
      Given Luca was born on 29 February 1992 and lives in Rome
      When the end of February 2027 passes
      Then Luca got 1 birthday message, at 09:00 on 28 February 2027 in Rome
      And it says 35 years

    Scenario: In a leap year
      Given Luca was born on 29 February 1992 and lives in Rome
      When the end of February 2028 passes
      Then Luca got 1 birthday message, at 09:00 on 29 February 2028 in Rome

    Scenario: In a year that only looks like a leap year
      Given Luca was born on 29 February 1992 and lives in Rome
      When the end of February 2100 passes
      Then Luca got 1 birthday message, at 09:00 on 28 February 2100 in Rome

    Scenario: Without a year of birth
      Given Luca was born on a 29 February and lives in Rome
      When the end of February 2027 passes
      Then Luca got 1 birthday message, at 09:00 on 28 February 2027 in Rome
      And it says no number of years

    Scenario: A first day at work
      Given Luca started to work on 29 February 2024 and lives in Rome
      When the end of February 2027 passes
      Then Luca got 1 anniversary message, at 09:00 on 28 February 2027 in Rome
      And it says 3 years

  Rule: It may be kept on 1 March

    Scenario Outline: For everybody, in <year>
      Given 29 February is kept on 1 March when there is none
      And Luca was born on 29 February 1992 and lives in Rome
      When the end of February <year> passes
      Then Luca got 1 birthday message, at 09:00 on <day> in Rome

      Examples:
        | year | day              |
        | 2027 | 1 March 2027     |
        | 2028 | 29 February 2028 |

  Rule: It may be kept in leap years only

    Scenario: In a common year
      Given 29 February is kept in leap years only
      And Luca was born on 29 February 1992 and lives in Rome
      When the end of February 2027 passes
      Then Luca got no message

    Scenario: In a leap year
      Given 29 February is kept in leap years only
      And Luca was born on 29 February 1992 and lives in Rome
      When the end of February 2028 passes
      Then Luca got 1 birthday message, at 09:00 on 29 February 2028 in Rome

  Rule: A person's own choice goes before the rule of the house

    Scenario: She would rather have it on 1 March
      Given Luca was born on 29 February 1992 and lives in Rome
      And Luca keeps 29 February on 1 March when there is none
      When the end of February 2027 passes
      Then Luca got 1 birthday message, at 09:00 on 1 March 2027 in Rome

    Scenario: Choosing another day after the greeting brings no second one
      Given Luca was born on 29 February 1992 and lives in Rome
      And it is 10:00 on 28 February 2027 in Rome
      When Luca chooses to keep 29 February on 1 March when there is none
      Then Luca gets 1 birthday message by 3 March 2027, at 09:00 on 28 February 2027 in Rome

  Rule: Who was born on 28 February or 1 March is not concerned

    Scenario: Their birthday is theirs in every year
      Given Bice was born on 28 February 1992 and lives in Rome
      And Carlo was born on 1 March 1992 and lives in Rome
      When the end of February 2027 passes
      Then Bice got 1 birthday message, at 09:00 on 28 February 2027 in Rome
      And Carlo got 1 birthday message, at 09:00 on 1 March 2027 in Rome
